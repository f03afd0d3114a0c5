import { approveChangeSet, type ChangeSet, isProblem, type Plan, rejectChangeSet } from "@guard-proxy/client";
import { Alert, Button, Checkbox, Group, Stack, Text, Textarea, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { DeploymentProgress } from "@/change/DeploymentProgress";
import { blocked, waits } from "@/change/model";
import { PlanView } from "@/change/PlanView";
import { useProgress } from "@/change/use-deployment";
import { ActionButton } from "@/components/ActionButton";
import { LinkButton } from "@/components/LinkButton";
import { Loaded } from "@/components/Loaded";
import { ProblemAlert } from "@/components/ProblemAlert";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { DiffView } from "./DiffView";
import { changeSetPlanQuery, stagedQuery } from "./queries";

/** Somebody else's: what differs, what that does, and the decision, which is about exactly that plan. */
export function Review({ changeSet }: { changeSet: ChangeSet }) {
  const diff = useQuery(stagedQuery(changeSet.id, changeSet.version));
  const [committed, setCommitted] = useState<number>();
  const search = waits(changeSet) ? { change_set: changeSet.id } : undefined;
  return (
    <Stack gap="lg">
      <section aria-labelledby="differs">
        <Title order={2} size="h4" id="differs" mb="xs">
          What it changes
        </Title>
        <Loaded query={diff}>{(staged) => <DiffView diff={staged} search={search} />}</Loaded>
        <LinkButton
          to="/vhosts"
          search={{ change_set: changeSet.id }}
          variant="default"
          size="xs"
          mt="xs"
          disabledReason={search ? undefined : "It waits for approval no more: only its owner sees it."}
        >
          Look at all pages as it has them
        </LinkButton>
      </section>
      {committed !== undefined && <Following revision={committed} />}
      {changeSet.state === "awaiting_approval" && <Decide changeSet={changeSet} onCommitted={setCommitted} />}
    </Stack>
  );
}

function Following({ revision }: { revision: number }) {
  return <DeploymentProgress revision={revision} {...useProgress(revision)} />;
}

type Props = { changeSet: ChangeSet; onCommitted: (revision: number) => void };

function Decide({ changeSet, onCommitted }: Props) {
  const plan = useQuery(changeSetPlanQuery(changeSet.id, changeSet.version));
  const queries = useQueryClient();
  // Another version of it is planned anew by itself.
  const again = () => {
    void plan.refetch();
    void queries.invalidateQueries({ queryKey: keys.one("change-sets", changeSet.id) });
  };
  return (
    <section aria-labelledby="plan">
      <Title order={2} size="h4" id="plan" mb="xs">
        What that does
      </Title>
      <Loaded query={plan}>
        {(made) => (
          <Stack>
            {/* That somebody else has to say yes is why the reader is here. */}
            <PlanView plan={{ ...made, approval: { ...made.approval, required: false } }} />
            <Decision changeSet={changeSet} plan={made} onCommitted={onCommitted} again={again} />
          </Stack>
        )}
      </Loaded>
    </section>
  );
}

function Decision({ changeSet, plan, onCommitted, again }: Props & { plan: Plan; again: () => void }) {
  const { can } = useMe();
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  const [commit, setCommit] = useState(true);
  const path = { change_set: changeSet.id };

  const decide = useMutation({
    mutationFn: (yes: boolean) =>
      yes
        ? call(approveChangeSet({ path, body: { version: changeSet.version, plan_digest: plan.digest, reason, commit } }))
        : call(rejectChangeSet({ path, body: { reason } })),
    onSuccess: (decided) => {
      if (decided.revision) onCommitted(decided.revision);
      queries.setQueryData(keys.one("change-sets", changeSet.id), decided);
      void queries.invalidateQueries({ queryKey: ["change-sets", "list"] });
    },
  });
  const { error } = decide;

  const denied = can("update", "approval").disabledReason;
  const silent = reason.trim() ? undefined : "Say why: its owner has to know what to mend.";
  return (
    <section aria-labelledby="decision">
      <UnsavedGuard dirty={reason.trim() !== "" && !decide.isSuccess} />
      <Title order={2} size="h4" id="decision" mb="xs">
        Your decision
      </Title>
      <Stack maw={640}>
        <Textarea
          label="Reason"
          description="Kept with the decision; a no wants one."
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
          maxLength={2000}
          autosize
          minRows={2}
        />
        <Checkbox
          label="Commit it at once"
          description="Otherwise its owner commits it when the time is right."
          checked={commit}
          onChange={(event) => setCommit(event.currentTarget.checked)}
        />
        {isProblem(error, "own_change") ? (
          <Alert color="red" variant="light" title="It is your own change" role="alert">
            <Text size="sm">You wrote it, had a part in it, or made the token that did. Somebody else has to say yes.</Text>
          </Alert>
        ) : (
          <ProblemAlert error={error} />
        )}
        {isProblem(error, "plan_changed", "conflict") && (
          <Button variant="default" onClick={again}>
            Look at it again
          </Button>
        )}
        <Group>
          <ActionButton
            loading={decide.isPending && decide.variables}
            disabledReason={denied ?? blocked(plan)}
            onClick={() => decide.mutate(true)}
          >
            {commit ? "Approve and commit" : "Approve"}
          </ActionButton>
          <ActionButton
            color="red"
            variant="outline"
            loading={decide.isPending && !decide.variables}
            disabledReason={denied ?? silent}
            onClick={() => decide.mutate(false)}
          >
            Reject
          </ActionButton>
        </Group>
      </Stack>
    </section>
  );
}
