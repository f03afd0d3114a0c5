import type { Status } from "@guard-proxy/client";

export type Headline = { tone: "good" | "busy" | "bad"; words: string };

const UNDER_WAY: Record<string, string> = {
  pending: "waits",
  validating: "is being validated",
  applying: "is being applied",
  verifying: "is being proven",
  retrying: "is being retried",
};

/** The one line that says how things stand; what is wrong comes before what is under way. */
export function headline(status: Status): Headline {
  if (status.unproven.length > 0) return { tone: "bad", words: `${count(status.unproven.length, "vhost")} unproven` };
  if (status.refused.length > 0) return { tone: "bad", words: `Revision ${status.refused.map((one) => one.revision).join(", ")} refused` };
  const emergencies = status.mode_overrides.length;
  if (emergencies > 0) return { tone: "bad", words: `${count(emergencies, "vhost")} in emergency mode` };
  if (status.engines.problems.length > 0) return { tone: "bad", words: "The data plane has a problem" };
  const under = status.deployment && UNDER_WAY[status.deployment.state];
  if (status.deployment?.state === "retrying") return { tone: "bad", words: `Revision ${status.deployment.revision} ${under}` };
  if (under) return { tone: "busy", words: `Revision ${status.deployment?.revision} ${under}` };
  if (!status.current) return { tone: "busy", words: `Revision ${status.head} is on its way` };
  return { tone: "good", words: `Revision ${status.live} is live and proven` };
}

function count(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}
