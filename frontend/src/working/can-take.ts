import { type Action, type ChangeSet, isProblem, type Me, type Subject } from "@guard-proxy/client";
import type { Permission } from "@/auth/permissions";
import { waits, writable } from "@/change/model";

export function isOwn({ author }: ChangeSet, me: Me): boolean {
  return author === me.label;
}

/** Why one cannot be in a change set any more; undefined: one can. Of others' the server shows only what waits for approval, or has it. */
export function left(changeSet: ChangeSet | undefined, me: Me | undefined, error: unknown): string | undefined {
  if (isProblem(error, "not_found", "forbidden")) return "It has ended, or it is not yours to see.";
  if (changeSet?.state === "committed") return `It was committed as revision ${changeSet.revision}.`;
  if (changeSet?.state === "discarded") return "It was discarded.";
  if (changeSet && me && !isOwn(changeSet, me) && !waits(changeSet)) return "It waits for approval no more: only its owner sees it.";
  return undefined;
}

/** Why nothing can be staged in it. */
export function frozen(changeSet: ChangeSet, me: Me): string | undefined {
  if (!isOwn(changeSet, me)) return "The change set is somebody else's: you look through it, and cannot save in it.";
  if (changeSet.state === "refused") return "The change set was refused: fix and retry first, on its own page.";
  return writable(changeSet) ? undefined : "The change set has ended: leave it first.";
}

const STAGED = new Set<Subject>(["vhost", "policy", "ip_list", "exclusion", "custom_rule", "server", "path", "entry"]);

/** What would be staged cannot be, for that reason. */
export function limit(reason: string | undefined) {
  return (may: Permission, action: Action, subject: Subject): Permission =>
    reason && may.allowed && action !== "read" && STAGED.has(subject) ? { allowed: false, disabledReason: reason } : may;
}
