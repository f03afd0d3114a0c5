import { type ChangeSet, discardChangeSet, listChangeSets, type OperationBody, stageOperations } from "@guard-proxy/client";
import { queryOptions } from "@tanstack/react-query";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";

/** One's own that can take more. */
export const openChangeSets = queryOptions({
  queryKey: keys.list("change-sets", { state: ["open"] }),
  queryFn: ({ signal }) => call(listChangeSets({ query: { state: ["open"], limit: 50 }, signal })),
});

/** The same writes, staged in another change set; the one that they were planned in is not needed then. */
export async function moveInto(target: string, from: ChangeSet, operations: OperationBody[]) {
  // What is staged there may have changed the object already: an ETag of before says nothing about that.
  const there = operations.map((one) => (one.if_match ? { ...one, if_match: "*" } : one));
  await call(stageOperations({ path: { change_set: target }, body: { operations: there } }));
  await call(discardChangeSet({ path: { change_set: from.id } }));
}
