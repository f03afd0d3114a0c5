import { createChangeSet, discardChangeSet, type Plan, planChangeSet } from "@guard-proxy/client";
import { call } from "@/lib/api";
import type { Ask } from "./model";

/** What the server and the engines would say of it on what is live, without a decision: nothing stays of it. Throws what staging refuses. */
export async function look({ operations }: Ask): Promise<Plan> {
  const staged = await call(createChangeSet({ body: { message: "", operations } }));
  const path = { change_set: staged.id };
  try {
    return await call(planChangeSet({ path }));
  } finally {
    // Whether it is gone matters to nobody who waits here.
    void discardChangeSet({ path });
  }
}
