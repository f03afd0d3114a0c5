import { type Deployment, listDeployments, type Status } from "@guard-proxy/client";
import { useQuery } from "@tanstack/react-query";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { useConnected, useStatus } from "@/live/use-live";

export type Progress = { end: "live" | "refused" | undefined; deployment: Deployment | undefined; said: string };

const ENDS = new Set(["live", "refused", "superseded"]);

/** What became of a revision, from what is live and the newest deployments that contain it. */
export function progress(revision: number, status: Status | undefined, deployments: Deployment[]): Progress {
  // Newest first; a later one brings this revision, too.
  const of = deployments.filter((one) => one.revision >= revision);
  const refused = status?.refused.find((one) => one.revision === revision);
  const own = of.find((one) => one.revision === revision && one.state === "refused");
  if (refused || own) return { end: "refused", deployment: own ?? of.at(-1), said: refused?.said ?? own?.said ?? "" };
  const live = of.find((one) => one.state === "live");
  if (live || (status && status.live >= revision)) return { end: "live", deployment: live ?? of[0], said: "" };
  const underWay = of.find((one) => !ENDS.has(one.state));
  return { end: undefined, deployment: underWay ?? of[0], said: underWay?.said ?? "" };
}

/** Follows a revision: by events, and by asking, since between two tabs and a restart an event may be lost. */
export function useProgress(revision: number): Progress {
  const connected = useConnected();
  const status = useStatus().data;
  const { data } = useQuery({
    queryKey: keys.list("deployments", { limit: 20 }),
    queryFn: ({ signal }) => call(listDeployments({ query: { limit: 20 }, signal })),
    refetchInterval: ({ state }) => {
      if (progress(revision, status, state.data?.items ?? []).end) return false;
      return connected ? 2_000 : 1_000;
    },
    staleTime: 0,
  });
  return progress(revision, status, data?.items ?? []);
}
