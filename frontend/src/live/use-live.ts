import { getStatus, type Status } from "@guard-proxy/client";
import { queryOptions, useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { live } from "./live";

export function useConnected(): boolean {
  return useSyncExternalStore(live.watch, live.connected);
}

const statusQuery = queryOptions({
  queryKey: keys.all("status"),
  queryFn: ({ signal }): Promise<Status> => call(getStatus({ signal })),
});

/** What is live. Events bring it; while there are none, it is asked for. */
export function useStatus() {
  const connected = useConnected();
  return useQuery({ ...statusQuery, refetchInterval: connected ? false : 10_000 });
}
