import type { ChangeSet, FieldError, OperationBody, Plan } from "@guard-proxy/client";

export type Ask = {
  /** As single requests would do it, paths as under `/api/v1`. */
  operations: OperationBody[];
  /** Becomes the revision's; can be edited before applying. */
  message?: string;
  /** What the plan would be refused for goes back to the form at once: there is nothing to decide about yet. */
  errorsToForm?: boolean;
};

export type Outcome =
  /** Live and proven. */
  | { kind: "live"; revision: number }
  /** Committed; whoever asked went on before it was live. */
  | { kind: "committed"; revision: number }
  /** Committed, refused and taken back. What was written is kept as a change set. */
  | { kind: "refused"; revision: number }
  /** Kept as (part of) a change set of one's own; `working`: of that which one works in, so that the pages show it. */
  | { kind: "staged"; changeSet: string; working?: boolean }
  /** Somebody else has to approve it. */
  | { kind: "waits"; changeSet: string }
  /** Nothing differs: there is nothing to do. */
  | { kind: "nothing" }
  /** Closed without a decision; with what the plan would be refused for, pointers from the root. */
  | { kind: "cancelled"; errors: FieldError[] };

/** Whether more can be staged in it. */
export function writable({ state }: ChangeSet): boolean {
  return state === "open" || waits({ state });
}

/** What the server says of approval, with the names of the vhosts that want it. */
export function approval({ approval: { required, vhosts } }: Plan): { required: boolean; vhosts: string[]; more: number } {
  return { required, vhosts: vhosts.names, more: vhosts.total - vhosts.names.length };
}

/** Whether the pages show what was saved. */
export function isShown(outcome: Outcome): boolean {
  return outcome.kind === "live" || outcome.kind === "committed" || (outcome.kind === "staged" && outcome.working === true);
}

/** Whether a commit came to nothing but a change set that waits, or that was approved before and is its owner's to commit. */
export function waits({ state }: Pick<ChangeSet, "state">): boolean {
  return state === "awaiting_approval" || state === "approved";
}

/** Why this plan cannot be applied; undefined: it can. */
export function blocked(plan: Plan): string | undefined {
  if (plan.conflicts.length > 0) return "Somebody else changed the same meanwhile: rebase the change set first.";
  if (plan.errors.length > 0) return "It would be refused: mend what the plan names.";
  return undefined;
}

export function differs({ diff }: Plan): boolean {
  return diff.counts.created + diff.counts.updated + diff.counts.deleted > 0;
}
