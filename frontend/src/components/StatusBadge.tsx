import { Badge } from "@mantine/core";

/** One colour and one word for each state, everywhere. The word says it too: colour alone tells nobody enough. */
const STATES = {
  live: ["green", "live"],
  proven: ["green", "proven"],
  accepted: ["green", "accepted"],
  committed: ["green", "committed"],
  approved: ["green", "approved"],
  block: ["green", "blocks"],
  up: ["green", "up"],
  pending: ["blue", "pending"],
  validating: ["blue", "validating"],
  applying: ["blue", "applying"],
  verifying: ["blue", "verifying"],
  open: ["blue", "open"],
  awaiting_approval: ["yellow", "awaits approval"],
  retrying: ["yellow", "retrying"],
  detect: ["yellow", "reports only"],
  unprobed: ["gray", "not probed yet"],
  away: ["yellow", "away"],
  draining: ["yellow", "draining"],
  maintenance: ["yellow", "maintenance"],
  warning: ["yellow", "warning"],
  medium: ["yellow", "medium risk"],
  refused: ["red", "refused"],
  unproven: ["red", "unproven"],
  error: ["red", "error"],
  down: ["red", "down"],
  high: ["red", "high risk"],
  off: ["red", "off"],
  low: ["gray", "low risk"],
  info: ["gray", "info"],
  superseded: ["gray", "superseded"],
  discarded: ["gray", "discarded"],
  not_asked: ["gray", "not asked"],
  disabled: ["gray", "disabled"],
  expired: ["gray", "expired"],
} as const satisfies Record<string, readonly [string, string]>;

/** Servers tell new states before this panel knows them: they are shown as they are named. */
export function StatusBadge({ state }: { state: keyof typeof STATES | (string & {}) }) {
  const [color, words] = STATES[state as keyof typeof STATES] ?? ["gray", state.replaceAll("_", " ")];
  return (
    <Badge color={color} variant="light" tt="none" miw="max-content">
      {words}
    </Badge>
  );
}
