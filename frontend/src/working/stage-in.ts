import { patchChangeSet, stageOperations } from "@guard-proxy/client";
import type { QueryClient } from "@tanstack/react-query";
import type { Ask } from "@/change/model";
import { changeSetQuery } from "@/features/changes/queries";
import { call } from "@/lib/api";

/** Adds it to the change set that one works in. That is the save: what the plan of it all would say is the bar's, which asks for itself. */
export async function stageIn(queries: QueryClient, id: string, { operations, message }: Ask) {
  const path = { change_set: id };
  let staged = await call(stageOperations({ path, body: { operations } }));
  if (!staged.message && message) {
    // The first save gives a name to what nobody has named. It is saved also where that does not work.
    staged = await call(patchChangeSet({ path, body: { message } })).catch(() => staged);
  }
  queries.setQueryData(changeSetQuery(id).queryKey, staged);
}
