import type { ChangeSet, Me } from "@guard-proxy/client";
import { Button, Group, Paper, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useLocation } from "@tanstack/react-router";
import { useSyncExternalStore } from "react";
import { useMe } from "@/auth/use-me";
import { useChange } from "@/change/ChangeProvider";
import { writable } from "@/change/model";
import { tell } from "@/change/tell";
import { ActionButton } from "@/components/ActionButton";
import { LinkButton } from "@/components/LinkButton";
import { ProblemAlert } from "@/components/ProblemAlert";
import { countWords } from "@/features/changes/words";
import { unsaved } from "@/lib/unsaved";
import { isOwn } from "./can-take";
import { InTheWay } from "./InTheWay";

type Props = {
  id: string;
  changeSet: ChangeSet | undefined;
  me: Me | undefined;
  /** It is left, as soon as the page lets go. */
  ended: boolean;
  error: unknown;
  again: () => void;
  leave: () => void;
};

/** Above the page: that one works in a change set, what it holds so far, and the ways out. */
export function WorkingBar({ id, changeSet, me, ended, error, again, leave }: Props) {
  // Its own page has these actions, too.
  const there = useLocation().pathname === `/changes/${id}`;
  const own = changeSet && me && isOwn(changeSet, me);
  const mutable = own && writable(changeSet);
  const commit = useCommit(id, leave);
  const unfit = useUnfit(changeSet);
  const others = changeSet && me && !own;
  return (
    <Paper
      component="section"
      aria-label={others ? "Change set that you look through" : "Change set that you work in"}
      withBorder
      p="xs"
      mb="md"
      pos="sticky"
      top="calc(var(--app-shell-header-height) + var(--mantine-spacing-xs))"
      style={{ zIndex: 50, borderColor: "var(--mantine-color-blue-filled)" }}
    >
      <ProblemAlert error={error} onRetry={again} />
      <ProblemAlert error={commit.error} />
      <Group justify="space-between" gap="xs">
        <div style={{ flex: "1 1 18rem", minWidth: 0 }}>
          <Text fw={600} size="sm" style={{ overflowWrap: "anywhere" }}>
            {others ? "You look through a change set" : "You work in a change set"}
            {changeSet?.message && `: ${changeSet.message}`}
          </Text>
          {changeSet && me && (
            <Text size="sm" role="status">
              {ended ? "It takes nothing more, and its pages are not to be relied on." : words(changeSet, !others)}
            </Text>
          )}
        </div>
        <Group gap="xs">
          {!there && !ended && (
            <LinkButton to={`/changes/${id}`} size="compact-sm" variant="default">
              Look at it
            </LinkButton>
          )}
          {mutable && !there && (
            <ActionButton size="compact-sm" loading={commit.isPending} onClick={() => commit.mutate()} disabledReason={unfit}>
              Plan and commit
            </ActionButton>
          )}
          <Button size="compact-sm" variant="default" onClick={leave}>
            Leave it
          </Button>
        </Group>
      </Group>
      {mutable && !isEmpty(changeSet) && <InTheWay id={id} version={changeSet.version} />}
    </Paper>
  );
}

/** Of one that is committed its state says so, and it is left for that. */
function useCommit(id: string, leave: () => void) {
  const { review } = useChange();
  return useMutation({
    mutationFn: () => review(id),
    onSuccess: (outcome) => {
      tell(outcome);
      if (outcome.kind === "waits") leave();
    },
  });
}

/** Why it cannot be committed now. */
function useUnfit(changeSet: ChangeSet | undefined): string | undefined {
  const { can } = useMe();
  const dirty = useSyncExternalStore(unsaved.watch, unsaved.get);
  if (!changeSet || isEmpty(changeSet)) return "It changes nothing yet.";
  return can("update", "change_set").disabledReason ?? (dirty ? "Save or undo what you changed on this page first." : undefined);
}

function isEmpty({ counts }: ChangeSet): boolean {
  return countWords(counts) === "nothing";
}

function words({ state, counts }: ChangeSet, own: boolean): string {
  if (!own) return "The pages show what it would make of the configuration. It is somebody else's: you cannot save in it.";
  if (state === "refused") return "It was refused. Fix and retry on its own page, then it can be mended.";
  const approval = state === "open" ? "" : " What you save now ends the approval, or the wait for it.";
  return `${countWords(counts)} so far. The pages show that as if it were committed; what you save is added, and nothing is live.${approval}`;
}
