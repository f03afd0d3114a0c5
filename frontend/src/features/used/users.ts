import type { VhostRepresentation } from "@guard-proxy/client";

export type Use = { vhost: VhostRepresentation; how: string[] };

/** For what a vhost uses a policy. */
export function usesOfPolicy({ policy, paths }: VhostRepresentation, name: string): string[] {
  return [
    ...(policy === name ? ["the whole site, but for paths of their own"] : []),
    ...paths.filter((path) => path.policy === name).map((path) => `path ${path.prefix}`),
  ];
}

/** For what a vhost uses an IP list. */
export function usesOfList({ access }: VhostRepresentation, name: string): string[] {
  return [
    ...(access.deny.includes(name) ? ["deny: clients on it get 403"] : []),
    ...(access.allow_only.includes(name) ? ["allow only: clients on none of these lists get 403"] : []),
    ...(access.trust.includes(name) ? ["trust: clients on it skip the WAF"] : []),
  ];
}
