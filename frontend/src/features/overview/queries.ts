import { listChangeSets, listDeployments, listPolicies, listRevisions } from "@guard-proxy/client";
import { queryOptions } from "@tanstack/react-query";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";

/** More than that is a page of its own. */
const FEW = 20;
/** The API has no filter by expiry: the newest of them are looked through, since whole policies can be large. */
export const POLICIES_LOOKED_AT = 100;

export const refusedQuery = queryOptions({
  queryKey: keys.list("change-sets", { state: "refused", overview: true }),
  queryFn: ({ signal }) => call(listChangeSets({ query: { state: ["refused"], limit: FEW }, signal })),
});

export const waitingQuery = queryOptions({
  queryKey: keys.list("change-sets", { state: "waiting", overview: true }),
  queryFn: ({ signal }) => call(listChangeSets({ query: { state: ["awaiting_approval", "approved"], limit: FEW }, signal })),
});

export const reviewsQuery = queryOptions({
  queryKey: keys.list("change-sets", { review: true, overview: true }),
  queryFn: ({ signal }) => call(listChangeSets({ query: { review: true, limit: FEW }, signal })),
  // Of others' change sets no event tells yet.
  refetchInterval: 30_000,
});

export const policiesQuery = queryOptions({
  queryKey: keys.list("policies", { ends: true }),
  queryFn: ({ signal }) => call(listPolicies({ query: { sort: "-updated_at", limit: POLICIES_LOOKED_AT }, signal })),
  staleTime: 60_000,
});

export const newestQuery = queryOptions({
  queryKey: keys.list("revisions", { newest: true }),
  queryFn: async ({ signal }) => (await call(listRevisions({ query: { limit: 1 }, signal }))).items[0] ?? null,
});

export const deploymentsQuery = queryOptions({
  queryKey: keys.list("deployments", { overview: true }),
  queryFn: ({ signal }) => call(listDeployments({ query: { limit: 6 }, signal })),
});
