import {
  getIpList,
  getUpstreamStatus,
  getVhost,
  getVhostStatus,
  type IpListRepresentation,
  type ListVhostsData,
  listIpLists,
  listPolicies,
  listVhosts,
  paginate,
  type UpstreamStatus,
  type VhostRepresentation,
  type VhostStatus,
} from "@guard-proxy/client";
import { queryOptions } from "@tanstack/react-query";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";

export type VhostFilter = Pick<NonNullable<ListVhostsData["query"]>, "q" | "label" | "policy" | "enabled">;

export const vhostQuery = (vhost: string) =>
  queryOptions({
    queryKey: keys.one("vhosts", vhost),
    queryFn: ({ signal }): Promise<VhostRepresentation> => call(getVhost({ path: { vhost }, signal })),
  });

/** What a probe has seen of it; events of proofs and deployments make it old. */
export const proofQuery = (vhost: string) =>
  queryOptions({
    queryKey: keys.one("status", vhost),
    queryFn: ({ signal }): Promise<VhostStatus> => call(getVhostStatus({ path: { vhost }, signal })),
  });

/** Servers as HAProxy sees them; no event tells when one goes down. */
export const serversQuery = (vhost: string) =>
  queryOptions({
    queryKey: keys.one("status", vhost, "servers"),
    queryFn: ({ signal }): Promise<UpstreamStatus> => call(getUpstreamStatus({ path: { vhost }, signal })),
    // While HAProxy is away each question is a line in the server's log.
    retry: false,
    refetchInterval: ({ state }) => (state.error ? 60_000 : 10_000),
  });

export const ipListQuery = (ip_list: string) =>
  queryOptions({
    queryKey: keys.one("ip-lists", ip_list),
    queryFn: ({ signal }): Promise<IpListRepresentation> => call(getIpList({ path: { ip_list }, signal })),
  });

const CHOICES = 50;
type Choices = { items: { name: string; title: string }[]; total: number };

/** What there is to choose from: the server searches, since there may be thousands. */
export const choicesQuery = (of: "policies" | "ip-lists", q: string) =>
  queryOptions({
    queryKey: keys.list(of, { q, choices: CHOICES }),
    queryFn: ({ signal }): Promise<Choices> => {
      const query = { q: q || undefined, limit: CHOICES };
      return of === "policies" ? call(listPolicies({ query, signal })) : call(listIpLists({ query, signal }));
    },
    staleTime: 30_000,
  });

/** The names of all that match, beyond what is loaded. */
export async function namesOf(filter: VhostFilter): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of paginate(listVhosts, { query: { ...filter, limit: 500 } })) names.push(name);
  return names;
}
