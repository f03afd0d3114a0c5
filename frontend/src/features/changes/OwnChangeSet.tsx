import { type ChangeSet, discardChangeSet, isProblem, type ObjectDiff, patchChangeSet, rebaseChangeSet } from "@guard-proxy/client";
import { Alert, Button, Group, Stack, Text, TextInput, Title } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { useChange } from "@/change/ChangeProvider";
import { DeploymentProgress } from "@/change/DeploymentProgress";
import { tell } from "@/change/tell";
import { useProgress } from "@/change/use-deployment";
import { ActionButton } from "@/components/ActionButton";
import { ConfirmModal } from "@/components/ConfirmModal";
import { LinkButton } from "@/components/LinkButton";
import { Loaded } from "@/components/Loaded";
import { ProblemAlert } from "@/components/ProblemAlert";
import { asProblem, call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { formPage, kindWords, objectPage } from "@/lib/objects";
import { useStatus } from "@/live/use-live";
import { Conflicts } from "./Conflicts";
import { DiffView } from "./DiffView";
import { EditStaged } from "./EditStaged";
import { stagedQuery } from "./queries";
import { unstage } from "./staging";

type Props = { changeSet: ChangeSet };

/** Everything that its owner can do with it. */
export function OwnChangeSet({ changeSet }: Props) {
  const diff = useQuery(stagedQuery(changeSet.id, changeSet.version));
  const work = useWork(changeSet);
  const [editing, setEditing] = useState<ObjectDiff>();
  const ended = changeSet.state === "committed" || changeSet.state === "discarded";
  const frozen = ended
    ? `It is ${changeSet.state}: that is its end.`
    : changeSet.state === "refused"
      ? "Fix and retry first: that brings it onto the newest revision."
      : work.denied;

  return (
    <Stack gap="lg">
      {!ended && <Actions changeSet={changeSet} work={work} />}
      {Boolean(work.error) && <Wrong changeSet={changeSet} work={work} />}
      {changeSet.revision !== null && <Following revision={changeSet.revision} />}
      <section aria-labelledby="staged">
        <Title order={2} size="h4" id="staged" mb="xs">
          What it changes
        </Title>
        {(changeSet.state === "awaiting_approval" || changeSet.state === "approved") && (
          <Text size="sm" mb="xs">
            An edit ends what was asked for or approved: it waits anew after the next commit.
          </Text>
        )}
        <Loaded query={diff}>
          {(staged) => (
            <DiffView
              diff={staged}
              errors={changeSet.refusal?.errors ?? []}
              search={ended ? undefined : { change_set: changeSet.id }}
              empty="Nothing yet. Work in it: what you save on any page is then added to it."
              actions={
                ended
                  ? undefined
                  : (object) => (
                      <>
                        <LinkButton
                          to={objectPage(object.kind, object.name)}
                          search={{ change_set: undefined }}
                          size="compact-xs"
                          variant="subtle"
                          disabledReason={object.change === "created" ? "It is new: nothing of it is live." : undefined}
                          aria-label={`Open ${object.name} as it is live`}
                        >
                          Live
                        </LinkButton>
                        <LinkButton
                          to={formPage(object.kind, object.name)}
                          search={{ change_set: changeSet.id }}
                          size="compact-xs"
                          variant="subtle"
                          disabledReason={frozen ?? deleted(object)}
                          aria-label={`Edit ${object.name}`}
                        >
                          Edit
                        </LinkButton>
                        <ActionButton
                          size="compact-xs"
                          variant="subtle"
                          disabledReason={frozen ?? deleted(object)}
                          onClick={() => setEditing(object)}
                          aria-label={`Edit ${object.name} as JSON`}
                        >
                          JSON
                        </ActionButton>
                        <ActionButton
                          size="compact-xs"
                          variant="subtle"
                          color="red"
                          disabledReason={frozen}
                          loading={work.busy}
                          onClick={() => void work.run(() => unstage(changeSet, object))}
                          aria-label={`Take out ${object.name}`}
                        >
                          Take out
                        </ActionButton>
                      </>
                    )
              }
            />
          )}
        </Loaded>
      </section>
      {editing && (
        <EditStaged
          changeSet={changeSet.id}
          kind={editing.kind}
          name={editing.name}
          errors={changeSet.refusal?.errors ?? []}
          onClose={() => setEditing(undefined)}
          onSaved={() => {
            setEditing(undefined);
            void work.again();
            notifications.show({ message: `${kindWords(editing.kind)} ${editing.name} is staged as edited` });
          }}
        />
      )}
    </Stack>
  );
}

function deleted({ change }: ObjectDiff): string | undefined {
  return change === "deleted" ? "It is deleted in this change set." : undefined;
}

function Following({ revision }: { revision: number }) {
  return <DeploymentProgress revision={revision} {...useProgress(revision)} />;
}

type Work = ReturnType<typeof useWork>;

function useWork(changeSet: ChangeSet) {
  const queries = useQueryClient();
  const { can } = useMe();
  const { mutateAsync, isPending: busy, error } = useMutation({ mutationFn: (work: () => Promise<unknown>) => work() });
  const again = () => queries.invalidateQueries({ queryKey: keys.all("change-sets") });
  // Read anew also where it went wrong: some of it may have been done.
  const run = (work: () => Promise<unknown>) =>
    mutateAsync(work)
      .then(
        () => true,
        () => false,
      )
      .finally(again);
  return { busy, error, run, again, denied: can("update", "change_set").disabledReason, path: { change_set: changeSet.id } };
}

/** Where both changed the same, both sides; otherwise the problem as it is. */
function Wrong({ changeSet, work }: Props & { work: Work }) {
  if (!isProblem(work.error, "conflict")) return <ProblemAlert error={work.error} />;
  const { conflicts = [] } = asProblem(work.error);
  if (conflicts.length === 0) return <ProblemAlert error={work.error} />;
  return <Conflicts changeSet={changeSet.id} conflicts={conflicts} run={work.run} busy={work.busy} />;
}

function Actions({ changeSet, work }: Props & { work: Work }) {
  const { review, busy: reviewing } = useChange();
  const navigate = useNavigate();
  const head = useStatus().data?.head;
  const [asking, setAsking] = useState<"discard" | "message">();
  const { state } = changeSet;
  const refused = state === "refused";
  const behind = head !== undefined && changeSet.base < head;
  const empty = Object.values(changeSet.counts).every((count) => count === 0);

  const rebase = () => work.run(() => call(rebaseChangeSet({ path: work.path })));
  const decide = () => work.run(async () => tell(await review(changeSet.id)));
  const reason = refused ? "It was refused: fix and retry first." : empty ? "It changes nothing." : work.denied;
  return (
    <>
      <Group gap="xs">
        <ActionButton onClick={() => void decide()} loading={reviewing} disabledReason={reason}>
          {state === "approved" ? "Commit" : "Plan and commit"}
        </ActionButton>
        <ActionButton
          variant={refused ? "filled" : "default"}
          onClick={() => void rebase()}
          loading={work.busy}
          disabledReason={work.denied ?? (!refused && !behind ? "It is on the newest revision already." : undefined)}
        >
          {refused ? "Fix and retry" : "Bring onto the newest revision"}
        </ActionButton>
        <LinkButton
          to="/vhosts"
          search={{ change_set: changeSet.id }}
          variant="default"
          disabledReason={refused ? "Fix and retry first." : work.denied}
        >
          Work in it
        </LinkButton>
        <ActionButton variant="default" onClick={() => setAsking("message")} disabledReason={work.denied}>
          Change the message
        </ActionButton>
        <ActionButton variant="subtle" color="red" onClick={() => setAsking("discard")} disabledReason={work.denied}>
          Discard
        </ActionButton>
      </Group>
      {refused && (
        <Alert color="blue" variant="light" title="How to mend it">
          Fix and retry brings it onto the newest revision and opens it. Then edit what the engine named, and commit it again.
        </Alert>
      )}
      {asking === "message" && <Message changeSet={changeSet} work={work} close={() => setAsking(undefined)} />}
      <ConfirmModal
        opened={asking === "discard"}
        onClose={() => setAsking(undefined)}
        onConfirm={async () => {
          if (await work.run(() => call(discardChangeSet({ path: work.path }))))
            await navigate({ to: "/changes/mine", search: { state: undefined, change_set: undefined } });
          setAsking(undefined);
        }}
        title="Discard this change set?"
        confirm="Discard"
        dangerous
      >
        What it holds is never committed. That cannot be undone.
      </ConfirmModal>
    </>
  );
}

function Message({ changeSet, work, close }: Props & { work: Work; close: () => void }) {
  const [message, setMessage] = useState(changeSet.message);
  const save = async () => {
    if (await work.run(() => call(patchChangeSet({ path: work.path, body: { message } })))) close();
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <Group align="flex-end" gap="xs">
        <TextInput
          label="Message"
          description={changeSet.approval ? "Another message ends the approval, too." : "Why: it becomes the revision's."}
          value={message}
          onChange={(event) => setMessage(event.currentTarget.value)}
          maxLength={500}
          style={{ flex: "1 1 20rem" }}
          data-autofocus
          autoFocus
        />
        <Button type="submit" loading={work.busy}>
          Keep
        </Button>
        <Button variant="default" onClick={close}>
          Cancel
        </Button>
      </Group>
    </form>
  );
}
