import { Anchor } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import type { Ask, Outcome } from "./model";

/** A form's save is one of these; anything else was one click, with nothing to see of it afterwards. */
function isForms({ operations: [one, another] }: Ask): boolean {
  return another === undefined && (one?.method === "PUT" || one?.method === "PATCH");
}

/** Says what became of a save where the flow has not shown it. */
export function tell(outcome: Outcome, ask?: Ask) {
  if (outcome.kind === "nothing") {
    notifications.show({ color: "gray", title: "Nothing to save", message: "It is as the server has it." });
  }
  // The place of notifications is outside of the router: they have links of their own.
  if (outcome.kind === "staged" && !outcome.working) {
    notifications.show({
      color: "blue",
      title: "Kept in your change set",
      message: <Anchor href={`/changes/${outcome.changeSet}`}>Look at it</Anchor>,
    });
  }
  // Where one works in a change set, the bar above the page says of all else that it is in there.
  if (outcome.kind === "staged" && outcome.working && ask && !isForms(ask)) {
    notifications.show({
      color: "blue",
      title: "Staged in your change set",
      message: (
        <>
          {ask.message}. <Anchor href={`/changes/${outcome.changeSet}?change_set=${outcome.changeSet}`}>Take it out there</Anchor> if that
          was not meant.
        </>
      ),
    });
  }
  if (outcome.kind === "refused") {
    notifications.show({
      color: "red",
      title: `Revision ${outcome.revision} was refused`,
      message: <Anchor href="/changes/mine?state=refused">Mend what was kept of it</Anchor>,
    });
  }
}
