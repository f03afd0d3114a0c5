import type { ChangeSet } from "@guard-proxy/client";
import { Alert, Button, Code, Group, List, Paper, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useLocation, useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { useMe } from "@/auth/use-me";
import { useChange } from "@/change/ChangeProvider";
import { isShown, writable } from "@/change/model";
import { tell } from "@/change/tell";
import { ActionButton } from "@/components/ActionButton";
import { LinkButton } from "@/components/LinkButton";
import { ProblemAlert } from "@/components/ProblemAlert";
import { changeSetQuery } from "@/features/changes/queries";
import { countWords } from "@/features/changes/words";
import { keys, OBJECTS } from "@/lib/keys";
import { inTheWay } from "./in-the-way";

const SHOWN = 3;

/** On every page of those who work in a change set: that they do, what it holds so far, and the ways out. */
export default function WorkingBar({ id }: { id: string }) {
  const { data, error, refetch } = useQuery(changeSetQuery(id));
  const { me, can } = useMe();
  const { review, busy } = useChange();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const errors = useQuery(inTheWay(id)).data ?? [];
  const version = data?.version;
  // What is staged elsewhere (another tab, a script) is to be seen here, too.
  useEffect(() => {
    if (version !== undefined) for (const resource of OBJECTS) void queries.invalidateQueries({ queryKey: keys.all(resource) });
  }, [queries, version]);

  const leave = () => navigate({ to: ".", search: (search: object) => ({ ...search, change_set: undefined }) as never });
  const decide = async () => {
    const outcome = await review(id);
    if (outcome.kind === "waits" || (outcome.kind !== "staged" && isShown(outcome))) await leave();
    else if (outcome.kind !== "staged") tell(outcome);
  };
  // Its own page has these actions, too.
  const there = useLocation().pathname === `/changes/${id}`;
  const own = data !== undefined && data.author === me?.label;
  return (
    <Paper
      component="section"
      aria-label="Change set that you work in"
      withBorder
      p="xs"
      mb="md"
      pos="sticky"
      top="calc(var(--app-shell-header-height) + var(--mantine-spacing-xs))"
      style={{ zIndex: 50, borderColor: "var(--mantine-color-blue-filled)" }}
    >
      <ProblemAlert error={error} onRetry={() => void refetch()} />
      <Group justify="space-between" gap="xs">
        <div style={{ flex: "1 1 18rem", minWidth: 0 }}>
          <Text fw={600} size="sm" style={{ overflowWrap: "anywhere" }}>
            {own || !data ? "You work in a change set" : "You look through a change set"}
            {data?.message && `: ${data.message}`}
          </Text>
          {data && (
            <Text size="sm" role="status">
              {words(data, own)}
            </Text>
          )}
        </div>
        <Group gap="xs">
          {!there && (
            <LinkButton to={`/changes/${id}`} size="compact-sm" variant="default">
              Look at it
            </LinkButton>
          )}
          {own && !there && writable(data) && (
            <ActionButton
              size="compact-sm"
              loading={busy}
              onClick={() => void decide()}
              disabledReason={
                can("update", "change_set").disabledReason ??
                (countWords(data.counts) === "nothing" ? "It changes nothing yet." : undefined)
              }
            >
              Plan and commit
            </ActionButton>
          )}
          <Button size="compact-sm" variant="default" onClick={() => void leave()}>
            Leave it
          </Button>
        </Group>
      </Group>
      {errors.length > 0 && (
        <Alert color="red" variant="light" title="As it is, it would be refused" role="alert" mt="xs" p="xs">
          <List size="sm">
            {errors.slice(0, SHOWN).map((one) => (
              <List.Item key={`${one.pointer} ${one.code} ${one.line} ${one.column}`} style={{ overflowWrap: "anywhere" }}>
                <Code>{one.pointer}</Code> {one.detail}
              </List.Item>
            ))}
            {errors.length > SHOWN && <List.Item>and {errors.length - SHOWN} more</List.Item>}
          </List>
        </Alert>
      )}
    </Paper>
  );
}

function words({ state, counts, ...changeSet }: ChangeSet, own: boolean): string {
  if (state === "committed") return `It was committed as revision ${changeSet.revision}, and takes nothing more.`;
  if (state === "discarded") return "It was discarded, and takes nothing more.";
  if (!own) return "The pages show what it would make of the configuration. It is somebody else's: you cannot save in it.";
  if (state === "refused") return "It was refused. Bring it onto the newest revision on its own page, then it can be mended.";
  const approval = state === "open" ? "" : " What you save now ends the approval, or the wait for it.";
  return `${countWords(counts)} so far. The pages show that as if it were committed; what you save is added, and nothing is live.${approval}`;
}
