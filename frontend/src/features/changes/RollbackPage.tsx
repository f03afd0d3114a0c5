import { type Plan, rollback } from "@guard-proxy/client";
import { Alert, Anchor, Button, Checkbox, Group, Stack, Text, TextInput, Title } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { DeploymentProgress } from "@/change/DeploymentProgress";
import { approval, blocked, differs } from "@/change/model";
import { PlanView } from "@/change/PlanView";
import { useProgress } from "@/change/use-deployment";
import { ActionButton } from "@/components/ActionButton";
import { EmptyState } from "@/components/EmptyState";
import { Loaded } from "@/components/Loaded";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { call } from "@/lib/api";
import { kindWords, reference } from "@/lib/objects";
import { useStatus } from "@/live/use-live";
import { useWorking } from "@/working/working";
import { ChangeBadge } from "./DiffView";
import { betweenQuery, rollbackPlanQuery } from "./queries";

const route = getRouteApi("/_app/changes/revisions/$revision/rollback");

/** Three steps on one page: what is to go back, what that does, and its way until it is live. */
export function RollbackPage() {
  const revision = Number(route.useParams().revision);
  const objects = route.useSearch().objects ?? [];
  const navigate = route.useNavigate();
  const [made, setMade] = useState<Made>();
  const { can } = useMe();
  const may = can("update", "revision");
  const head = (
    <PageHeader
      title={`Back to revision ${revision}`}
      parents={[
        { label: "Changes", to: "/changes" },
        { label: `Revision ${revision}`, to: `/changes/revisions/${revision}` },
      ]}
      about="Makes a new revision that is equal to the old one, whole or for some objects. Nothing is lost: what is now stays in the history."
    />
  );
  if (!may.allowed) {
    return (
      <>
        {head}
        <EmptyState title="Not for you to do">{may.disabledReason}</EmptyState>
      </>
    );
  }
  return (
    <>
      {head}
      {made ? (
        <Done made={made} />
      ) : (
        <Stack gap="lg">
          <Choice
            revision={revision}
            objects={objects}
            onChange={(next) => void navigate({ search: { objects: next.length ? next : undefined }, replace: true })}
          />
          <Planned key={objects.join()} revision={revision} objects={objects} onMade={setMade} />
        </Stack>
      )}
    </>
  );
}

type ChoiceProps = { revision: number; objects: string[]; onChange: (objects: string[]) => void };

/** What differs from then is what can go back. */
function Choice({ revision, objects, onChange }: ChoiceProps) {
  const status = useStatus().data;
  const between = useQuery({ ...betweenQuery(revision, status?.head), enabled: status !== undefined });
  const toggle = (name: string) => onChange(objects.includes(name) ? objects.filter((one) => one !== name) : [...objects, name]);
  return (
    <section aria-labelledby="choice">
      <Title order={2} size="h4" id="choice" mb="xs">
        What goes back
      </Title>
      <Loaded query={between}>
        {(diff) => (
          <Stack gap={6}>
            <Checkbox
              label={`Everything that is another than in revision ${revision}`}
              checked={objects.length === 0}
              onChange={() => onChange([])}
            />
            {diff.changes.map(({ kind, name, change }) => {
              const object = reference(kind, name);
              return (
                <Group key={object} gap="xs" pl="lg">
                  <Checkbox label={`${kindWords(kind)} ${name}`} checked={objects.includes(object)} onChange={() => toggle(object)} />
                  <ChangeBadge change={change} />
                </Group>
              );
            })}
            {diff.changes.length === 0 && <Text size="sm">Nothing differs between then and now.</Text>}
            {diff.left_out > 0 && <Text size="sm">and {diff.left_out} more, which can go back only with everything</Text>}
          </Stack>
        )}
      </Loaded>
    </section>
  );
}

type Made = { revision: number } | { waits: string };
type PlannedProps = { revision: number; objects: string[]; onMade: (made: Made) => void };

function Planned({ revision, objects, onMade }: PlannedProps) {
  const plan = useQuery(rollbackPlanQuery(revision, objects));
  return (
    <section aria-labelledby="plan">
      <Title order={2} size="h4" id="plan" mb="xs">
        What that does
      </Title>
      <Loaded query={plan}>
        {(made) => (
          <Confirm
            plan={made}
            revision={revision}
            objects={objects}
            onMade={onMade}
            again={() => void plan.refetch()}
            busy={plan.isFetching}
          />
        )}
      </Loaded>
    </section>
  );
}

type ConfirmProps = PlannedProps & { plan: Plan; again: () => void; busy: boolean };

function Confirm({ plan, revision, objects, onMade, again, busy }: ConfirmProps) {
  const queries = useQueryClient();
  const [message, setMessage] = useState("");
  const [going, setGoing] = useState(false);
  const [error, setError] = useState<unknown>();
  const waits = approval(plan).required;
  const working = useWorking();
  const reason =
    blocked(plan) ??
    (differs(plan) ? undefined : "Nothing differs: everything is so already.") ??
    (working && "Leave the change set first: this is no part of it, and live at once.");
  const go = async () => {
    setGoing(true);
    setError(undefined);
    try {
      const body = { objects, message: message || null, plan_digest: plan.digest };
      const answer = await call(rollback({ path: { revision }, body }));
      onMade("number" in answer ? { revision: answer.number } : { waits: answer.id });
      void queries.invalidateQueries();
    } catch (refused) {
      setError(refused);
    } finally {
      setGoing(false);
    }
  };
  return (
    <Stack>
      <PlanView plan={plan} />
      <TextInput
        label="Message"
        description="Why: the revision keeps it."
        placeholder={`back to revision ${revision}`}
        value={message}
        onChange={(event) => setMessage(event.currentTarget.value)}
        maxLength={500}
        maw={600}
      />
      {Boolean(error) && <ProblemAlert error={error} />}
      <Group>
        <ActionButton
          onClick={() => void go()}
          loading={going}
          disabledReason={reason}
          color={plan.risk.class === "high" ? "red" : undefined}
        >
          {waits ? "Ask for approval" : "Go back now"}
        </ActionButton>
        <Button variant="default" onClick={again} loading={busy}>
          Make a new plan
        </Button>
      </Group>
    </Stack>
  );
}

function Done({ made }: { made: Made }) {
  if ("waits" in made) {
    return (
      <Alert color="yellow" variant="light" title="Not applied yet: somebody else has to approve it">
        <Anchor component={Link} to={`/changes/${made.waits}`} size="sm">
          The change set that waits
        </Anchor>
      </Alert>
    );
  }
  return <Following revision={made.revision} />;
}

function Following({ revision }: { revision: number }) {
  const progress = useProgress(revision);
  return (
    <Stack>
      <DeploymentProgress revision={revision} {...progress} />
      <Anchor component={Link} to={`/changes/revisions/${revision}`} size="sm">
        Revision {revision}
      </Anchor>
    </Stack>
  );
}
