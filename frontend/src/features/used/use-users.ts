import { listVhosts, type VhostRepresentation } from "@guard-proxy/client";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { usePages } from "@/lib/use-pages";
import { type Use, usesOfList, usesOfPolicy } from "./users";

type By = { uses_policy: string[] } | { uses_ip_list: string[] };

function useUsers(by: By, how: (vhost: VhostRepresentation) => string[]) {
  const query = { ...by, limit: 500 };
  const pages = usePages(keys.list("vhosts", query), (cursor, signal) => call(listVhosts({ query: { ...query, cursor }, signal })));
  // While another is asked for, the rows are of the one before.
  const loading = pages.loading || pages.stale;
  const users: Use[] = loading ? [] : pages.rows.map((vhost) => ({ vhost, how: how(vhost) }));
  return { ...pages, loading, total: loading ? undefined : pages.total, users };
}

/** The vhosts that use a policy, the first 500 unasked. */
export const useUsersOfPolicy = (name: string) => useUsers({ uses_policy: [name] }, (vhost) => usesOfPolicy(vhost, name));

/** The vhosts that use an IP list, the first 500 unasked. */
export const useUsersOfList = (name: string) => useUsers({ uses_ip_list: [name] }, (vhost) => usesOfList(vhost, name));

export type Users = ReturnType<typeof useUsers>;

/** Why it cannot be deleted, as far as is known here; the server knows all. */
export function inUse({ users, total = 0 }: Users): string | undefined {
  if (users.length === 0) return undefined;
  const names = users.slice(0, 5).map(({ vhost }) => vhost.name);
  const more = total > names.length ? ` and ${total - names.length} more` : "";
  return `Used by ${names.join(", ")}${more}.`;
}
