import type { VhostRepresentation } from "@guard-proxy/client";

/** As much of a vhost as says what it uses. */
export type User = Pick<VhostRepresentation, "name" | "title" | "enabled" | "protected" | "policy" | "access"> & {
  paths: { prefix: string; policy?: string | null }[];
};
export type Use = { vhost: User; how: string[] };

export function usesOf({ name, title, enabled, protected: isProtected, policy, access, paths }: VhostRepresentation): User {
  const parts = paths.filter((path) => path.policy).map((path) => ({ prefix: path.prefix, policy: path.policy }));
  return { name, title, enabled, protected: isProtected, policy, access, paths: parts };
}

export function usersOfPolicy(vhosts: User[], policy: string): Use[] {
  return found(vhosts, (vhost) => [
    ...(vhost.policy === policy ? ["the whole site, but for paths of their own"] : []),
    ...vhost.paths.filter((path) => path.policy === policy).map((path) => `path ${path.prefix}`),
  ]);
}

export function usersOfList(vhosts: User[], list: string): Use[] {
  return found(vhosts, ({ access }) => [
    ...(access.deny.includes(list) ? ["deny: clients on it get 403"] : []),
    ...(access.allow_only.includes(list) ? ["allow only: clients on none of these lists get 403"] : []),
    ...(access.trust.includes(list) ? ["trust: clients on it skip the WAF"] : []),
  ]);
}

function found(vhosts: User[], how: (vhost: User) => string[]): Use[] {
  return vhosts.map((vhost) => ({ vhost, how: how(vhost) })).filter((use) => use.how.length > 0);
}
