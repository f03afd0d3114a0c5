import { type ChangeSet, commitChangeSet, isProblem, type Plan, planChangeSet } from "@guard-proxy/client";
import { Alert, Anchor, Button, Drawer, Group, Menu, Stack, Text, TextInput } from "@mantine/core";
import { IconChevronDown } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { ActionButton } from "@/components/ActionButton";
import { ProblemAlert } from "@/components/ProblemAlert";
import { call } from "@/lib/api";
import { DeploymentProgress } from "./DeploymentProgress";
import { type Ask, approval, blocked, type Outcome, waits } from "./model";
import { PlanView } from "./PlanView";
import { moveInto, openChangeSets } from "./stage";
import { useProgress } from "./use-deployment";

type Props = { changeSet: ChangeSet; plan: Plan; ask: Ask | undefined; decide: (outcome: Outcome) => void };
type Phase = { at: "plan" } | { at: "waits"; changeSet: ChangeSet } | { at: "committed"; revision: number };

export default function PlanDrawer(props: Props) {
  const { changeSet, ask, decide } = props;
  const [plan, setPlan] = useState(props.plan);
  const [phase, setPhase] = useState<Phase>({ at: "plan" });
  const [message, setMessage] = useState(changeSet.message);
  const { mutate: run, isPending: busy, error } = useMutation({ mutationFn: (work: () => Promise<void>) => work() });
  const path = { change_set: changeSet.id };
  const again = () => run(async () => setPlan(await call(planChangeSet({ path }))));
  const commit = () =>
    run(async () => {
      const committed = await call(commitChangeSet({ path, body: { plan_digest: plan.digest, message: message || null } }));
      // Where an equal one waits already, the answer is that one.
      if (waits(committed)) setPhase({ at: "waits", changeSet: committed });
      else if (committed.revision) setPhase({ at: "committed", revision: committed.revision });
      else decide({ kind: "nothing" });
    });
  const keep = (target: string | undefined) =>
    run(async () => {
      if (target && ask) await moveInto(target, changeSet, ask.operations);
      decide({ kind: "staged", changeSet: target ?? changeSet.id });
    });

  const close = () => decide({ kind: "cancelled", errors: plan.errors });

  if (phase.at === "committed") return <Committed revision={phase.revision} decide={decide} />;
  if (phase.at === "waits") return <Waits changeSet={phase.changeSet} decide={decide} />;
  return (
    <Drawer opened onClose={close} title="What this does" position="right" size="xl" closeOnClickOutside={false}>
      <Stack>
        <ProblemAlert error={error} />
        {isProblem(error, "plan_changed", "conflict") && (
          <Button variant="default" onClick={again} loading={busy}>
            Make a new plan
          </Button>
        )}
        <PlanView plan={plan} />
        <TextInput
          label="Message"
          description="Why: the revision keeps it."
          value={message}
          onChange={(event) => setMessage(event.currentTarget.value)}
          maxLength={500}
        />
        <Actions plan={plan} changeSet={changeSet} staging={ask !== undefined} busy={busy} commit={commit} keep={keep} close={close} />
      </Stack>
    </Drawer>
  );
}

type ActionsProps = {
  plan: Plan;
  changeSet: ChangeSet;
  staging: boolean;
  busy: boolean;
  commit: () => void;
  keep: (target: string | undefined) => void;
  close: () => void;
};

function Actions({ plan, changeSet, staging, busy, commit, keep, close }: ActionsProps) {
  const { can } = useMe();
  const others = (useQuery(openChangeSets).data?.items ?? []).filter(({ id }) => id !== changeSet.id);
  const reason = blocked(plan) ?? can("update", "change_set").disabledReason;
  return (
    <Group justify="flex-end" gap="xs">
      <Button variant="subtle" onClick={close}>
        {staging ? "Back to editing" : "Close"}
      </Button>
      {staging && (
        <Menu position="top-end">
          <Menu.Target>
            <Button variant="default" rightSection={<IconChevronDown size={16} aria-hidden />} disabled={busy}>
              Add to my change set
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            {others.map((one) => (
              <Menu.Item key={one.id} onClick={() => keep(one.id)}>
                {one.message || `begun at revision ${one.base}`}
              </Menu.Item>
            ))}
            <Menu.Item onClick={() => keep(undefined)}>A new one</Menu.Item>
          </Menu.Dropdown>
        </Menu>
      )}
      <ActionButton onClick={commit} loading={busy} disabledReason={reason} color={plan.risk.class === "high" ? "red" : undefined}>
        {approval(plan).required && changeSet.state !== "approved" ? "Ask for approval" : "Apply now"}
      </ActionButton>
    </Group>
  );
}

function Committed({ revision, decide }: { revision: number; decide: (outcome: Outcome) => void }) {
  const progress = useProgress(revision);
  const close = () => decide({ kind: progress.end ?? "committed", revision });
  return (
    <Drawer opened onClose={close} title={`Revision ${revision}`} position="right" size="xl">
      <Stack>
        <DeploymentProgress revision={revision} {...progress} />
        {!progress.end && <Text size="sm">It goes on when you close this; the head of the page shows how it ends.</Text>}
        <Group justify="flex-end">
          <Button variant={progress.end ? "filled" : "default"} onClick={close}>
            Close
          </Button>
        </Group>
      </Stack>
    </Drawer>
  );
}

function Waits({ changeSet, decide }: { changeSet: ChangeSet; decide: (outcome: Outcome) => void }) {
  const close = () => decide({ kind: "waits", changeSet: changeSet.id });
  const vhosts = changeSet.approval?.vhosts ?? [];
  const approved = changeSet.state === "approved";
  return (
    <Drawer opened onClose={close} title="Not applied yet" position="right" size="xl">
      <Alert
        color="yellow"
        variant="light"
        title={approved ? "An equal change was approved already: commit that one" : "It waits for approval by somebody else"}
      >
        <Stack gap="xs">
          {vhosts.length > 0 && <Text size="sm">It touches what is protected: {vhosts.join(", ")}. Nothing is in force yet.</Text>}
          <Anchor component={Link} to={`/changes/${changeSet.id}`} onClick={close} size="sm">
            The change set
          </Anchor>
        </Stack>
      </Alert>
    </Drawer>
  );
}
