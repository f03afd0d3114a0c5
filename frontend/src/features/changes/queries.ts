import {
  diffChangeSet,
  diffRevisions,
  getChangeSet,
  getDeployment,
  getRevision,
  listChangeSets,
  listRevisions,
  planChangeSet,
  planRollback,
  type RevisionInfo,
} from "@guard-proxy/client";
import { queryOptions, useQuery } from "@tanstack/react-query";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";

export const revisionQuery = (revision: number) =>
  queryOptions({
    queryKey: keys.one("revisions", revision),
    queryFn: ({ signal }) => call(getRevision({ path: { revision }, signal })),
  });

/** What took a revision back, if anything did: that is later, and the system's. */
export const takenBackQuery = ({ number, created_at }: RevisionInfo) =>
  queryOptions({
    queryKey: keys.one("revisions", number, "taken-back"),
    queryFn: async ({ signal }) => {
      const query = { author: ["system"], created_at_gte: created_at, limit: 500 };
      const { items } = await call(listRevisions({ query, signal }));
      return items.find(({ origin }) => origin.kind === "take_back" && origin.revisions.includes(number)) ?? null;
    },
  });

/** What lies between two revisions never changes. */
export const betweenQuery = (revision: number, from?: number, object?: string) =>
  queryOptions({
    queryKey: keys.one("revisions", revision, "diff", { from, object }),
    queryFn: ({ signal }) => call(diffRevisions({ path: { revision }, query: { from, object }, signal })),
    staleTime: 300_000,
  });

export const changeSetQuery = (id: string) =>
  queryOptions({
    queryKey: keys.one("change-sets", id),
    queryFn: ({ signal }) => call(getChangeSet({ path: { change_set: id }, signal })),
  });

export const stagedQuery = (id: string, version: number) =>
  queryOptions({
    queryKey: keys.one("change-sets", id, "diff", version),
    queryFn: ({ signal }) => call(diffChangeSet({ path: { change_set: id }, signal })),
  });

/** A plan is made when it is looked at, and stays until whoever looks wants another: they decide about this one. */
const STAYS = { staleTime: Number.POSITIVE_INFINITY, refetchOnWindowFocus: false, refetchOnReconnect: false, gcTime: 0 } as const;

export const changeSetPlanQuery = (id: string, version: number) =>
  queryOptions({
    queryKey: keys.one("plans", id, version),
    queryFn: () => call(planChangeSet({ path: { change_set: id } })),
    ...STAYS,
  });

export const rollbackPlanQuery = (revision: number, objects: string[]) =>
  queryOptions({
    queryKey: keys.one("plans", "rollback", revision, ...objects),
    queryFn: () => call(planRollback({ path: { revision }, body: { objects } })),
    ...STAYS,
  });

export const deploymentQuery = (id: string) =>
  queryOptions({
    queryKey: keys.one("deployments", id),
    queryFn: ({ signal }) => call(getDeployment({ path: { deployment: id }, signal })),
    refetchInterval: ({ state }) => (state.data && !state.data.ended_at ? 2_000 : false),
  });

const SOME = 50;

/** How many change sets of others wait for the reader; empty where none does. */
export function useToReview(allowed: boolean): string {
  const { data } = useQuery({
    queryKey: keys.list("change-sets", { review: true, limit: SOME }),
    queryFn: ({ signal }) => call(listChangeSets({ query: { review: true, limit: SOME }, signal })),
    enabled: allowed,
  });
  const count = data?.items.length ?? 0;
  return count === 0 ? "" : data?.next_cursor ? `${SOME}+` : `${count}`;
}
