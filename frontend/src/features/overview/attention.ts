import type { ChangeSet, PolicyRepresentation, Status } from "@guard-proxy/client";

/** Exclusions that end within so many days are worth a look. */
const SOON_DAYS = 14;
const DAY_MS = 86_400_000;

export type Item = {
  id: string;
  kind: "unproven" | "refused" | "review" | "exclusion" | "waiting";
  tone: "red" | "yellow" | "blue";
  title: string;
  about: string;
  to: string;
  search?: Record<string, string>;
  /** When it ends, or since when it is so. */
  at?: string;
};

type Known = {
  status: Status;
  refused: ChangeSet[];
  reviews: ChangeSet[];
  waiting: ChangeSet[];
  policies: PolicyRepresentation[];
  now: number;
};

/** What somebody should look at, most urgent first. */
export function attention({ status, refused, reviews, waiting, policies, now }: Known): Item[] {
  const named = ({ message, base }: ChangeSet) => message || `begun at revision ${base}`;
  return [
    ...status.unproven.map((name): Item => {
      const about = "The last probe saw something else than what is configured.";
      return {
        kind: "unproven",
        id: `unproven ${name}`,
        tone: "red",
        title: `${name} is unproven`,
        about,
        to: `/vhosts/${name}`,
        search: { tab: "proof" },
      };
    }),
    ...refused.map((set): Item => {
      const about = set.refusal?.said || "An engine refused it. What you wrote is kept: mend it and commit it again.";
      return {
        kind: "refused",
        id: set.id,
        tone: "red",
        title: `Refused: ${named(set)}`,
        about,
        to: `/changes/${set.id}`,
        at: set.updated_at,
      };
    }),
    ...reviews.map((set): Item => {
      const vhosts = set.approval?.vhosts.join(", ");
      const about = `By ${set.author}${vhosts ? `, about ${vhosts}` : ""}. You may approve it.`;
      const at = set.approval?.requested_at ?? set.updated_at;
      return {
        kind: "review",
        id: set.id,
        tone: "yellow",
        title: `Awaits your approval: ${named(set)}`,
        about,
        to: `/changes/${set.id}`,
        at,
      };
    }),
    ...policies.flatMap((policy) => ending(policy, now)),
    ...waiting.map((set): Item => {
      const approved = set.state === "approved";
      const title = `${approved ? "Approved, to be applied" : "Yours, awaits approval"}: ${named(set)}`;
      const about = approved ? "Somebody said yes: apply it." : "It is not in force until somebody else approves it.";
      return { kind: "waiting", id: set.id, tone: "blue", title, about, to: `/changes/${set.id}`, at: set.updated_at };
    }),
  ];
}

/** A few of each kind, in the same order: many of one do not hide what else there is. */
export function few(items: Item[], most: number): Item[] {
  const seen = new Map<Item["kind"], number>();
  return items.filter(({ kind }) => {
    const before = seen.get(kind) ?? 0;
    seen.set(kind, before + 1);
    return before < most;
  });
}

function ending(policy: PolicyRepresentation, now: number): Item[] {
  return policy.exclusions.flatMap(({ id, enabled, expires_at, reason, owner }): Item[] => {
    if (!enabled || !expires_at) return [];
    const left = new Date(expires_at).getTime() - now;
    if (left > SOON_DAYS * DAY_MS) return [];
    const over = left <= 0;
    const about = `${reason}${owner && ` (${owner})`}. ${over ? "Its rule counts again." : "After that its rule counts again."}`;
    const title = `Exclusion ${id} of ${policy.name} ${over ? "has ended" : "ends soon"}`;
    return [
      { kind: "exclusion", id: `${policy.name} ${id}`, tone: "yellow", title, about, to: `/policies/${policy.name}`, at: expires_at },
    ];
  });
}
