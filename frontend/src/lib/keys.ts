import type { QueryClient } from "@tanstack/react-query";

/** What there is to be read; the first part of each query's key, so that events can invalidate by it. */
export type Resource =
  | "vhosts"
  | "policies"
  | "ip-lists"
  | "change-sets"
  | "plans"
  | "revisions"
  | "deployments"
  | "status"
  | "proofs"
  | "traffic"
  | "audit"
  | "users"
  | "tokens"
  | "sessions"
  | "sealing-keys"
  | "roles"
  | "me";

/** What a change set can stage. */
export const OBJECTS: readonly Resource[] = ["vhosts", "policies", "ip-lists"];

export const keys = {
  all: (resource: Resource) => [resource] as const,
  list: (resource: Resource, params: object = {}) => [resource, "list", params] as const,
  one: (resource: Resource, id: string | number, ...part: (string | number | object)[]) => [resource, "one", id, ...part] as const,
};

/** What an event of a topic makes old. */
const STALE: Partial<Record<string, Resource[]>> = {
  revisions: ["revisions", ...OBJECTS, "audit", "status"],
  deployments: ["deployments", "status"],
  status: ["status"],
  proofs: ["proofs", "status"],
  change_sets: ["change-sets"],
  approvals: ["change-sets"],
};

/** Topics that this panel does not know yet make nothing old. */
export function invalidate(queries: QueryClient, topic: string) {
  for (const resource of STALE[topic] ?? []) void queries.invalidateQueries({ queryKey: keys.all(resource) });
}

/** After a gap in the events everything may be old. */
export function invalidateAll(queries: QueryClient) {
  void queries.invalidateQueries();
}
