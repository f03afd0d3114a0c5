import type { ChangeCounts, ChangeSetState, ChangeType, DeploymentState, Origin } from "@guard-proxy/client";

export const CHANGE_WORDS: Record<ChangeType, string> = { created: "new", updated: "changed", deleted: "deleted" };
export const CHANGE_COLORS: Record<ChangeType, string> = { created: "green", updated: "blue", deleted: "red" };

/** How a revision came to be. */
export function originWords(origin: Origin): string {
  switch (origin.kind) {
    case "write":
      return "a single write";
    case "change_set":
      return "a change set";
    case "rollback":
      return `back to revision ${origin.revision}`;
    case "take_back":
      return `the system took back ${origin.revisions.length === 1 ? "revision" : "revisions"} ${origin.revisions.join(", ")}`;
    default:
      return "";
  }
}

export function approvedBy(origin: Origin): string | undefined {
  return ("approved_by" in origin && origin.approved_by) || undefined;
}

export function countWords({ created, updated, deleted }: ChangeCounts): string {
  const said = [created > 0 && `${created} new`, updated > 0 && `${updated} changed`, deleted > 0 && `${deleted} deleted`].filter(Boolean);
  return said.join(", ") || "nothing";
}

/** `user:ada@example.com` and `token:ci`, as people say it. Who may not see what a revision changed is not told who wrote it. */
export function authorWords(author: string): string {
  if (author === "") return "not for you to see";
  if (author.startsWith("user:")) return author.slice(5);
  if (author.startsWith("token:")) return `token ${author.slice(6)}`;
  return author;
}

export const CHANGE_SET_STATES: readonly ChangeSetState[] = ["open", "awaiting_approval", "approved", "refused", "committed", "discarded"];
export const DEPLOYMENT_STATES: readonly DeploymentState[] = [
  "pending",
  "validating",
  "applying",
  "verifying",
  "retrying",
  "live",
  "refused",
  "superseded",
];
