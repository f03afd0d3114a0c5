import { Anchor } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import type { Outcome } from "./model";

/** Says what became of a save where the flow has not shown it. */
export function tell(outcome: Outcome) {
  if (outcome.kind === "nothing") {
    notifications.show({ color: "gray", title: "Nothing to save", message: "It is as the server has it." });
  }
  // Where one works in a change set, the bar above the page says it.
  if (outcome.kind === "staged" && !outcome.working) {
    notifications.show({
      color: "blue",
      title: "Kept in your change set",
      // The place of notifications is outside of the router.
      message: <Anchor href={`/changes/${outcome.changeSet}`}>Look at it</Anchor>,
    });
  }
}
