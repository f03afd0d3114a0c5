import { getTraffic, getVhostTraffic, type Traffic } from "@guard-proxy/client";
import { queryOptions, useQuery } from "@tanstack/react-query";
import { Loaded } from "@/components/Loaded";
import { Part } from "@/components/Part";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { TrafficChart } from "./TrafficChart";

/** Of one vhost, or of all that are seen. No event tells of it. */
const trafficQuery = (vhost: string | undefined) =>
  queryOptions({
    queryKey: keys.list("traffic", { vhost }),
    queryFn: ({ signal }): Promise<Traffic> => (vhost ? call(getVhostTraffic({ path: { vhost }, signal })) : call(getTraffic({ signal }))),
    refetchInterval: 30_000,
  });

export function TrafficPart({ vhost }: { vhost?: string }) {
  const query = useQuery(trafficQuery(vhost));
  return (
    <Part
      title="Requests and blocks, last hour"
      about="Of clients, counted every ten seconds. What is refused before it is inspected, as by access lists and rate limits, is not in it."
    >
      <Loaded query={query}>{({ points }) => <TrafficChart points={points} now={query.dataUpdatedAt} />}</Loaded>
    </Part>
  );
}
