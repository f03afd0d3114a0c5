import type { RevisionInfo } from "@guard-proxy/client";
import { Alert, Anchor, Code, Skeleton, Stack, Text, Title } from "@mantine/core";
import { IconArrowBackUp, IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMe } from "@/auth/use-me";
import { DeploymentProgress } from "@/change/DeploymentProgress";
import { useProgress } from "@/change/use-deployment";
import { Facts } from "@/components/Facts";
import { LinkButton } from "@/components/LinkButton";
import { Loaded } from "@/components/Loaded";
import { PageHeader } from "@/components/PageHeader";
import { RelativeTime } from "@/components/RelativeTime";
import { reference } from "@/lib/objects";
import { useStatus } from "@/live/use-live";
import { DiffView } from "./DiffView";
import { betweenQuery, deploymentQuery, revisionQuery, takenBackQuery } from "./queries";
import { approvedBy, authorWords, countWords, originWords } from "./words";

const route = getRouteApi("/_app/changes/revisions/$revision/");
const parents = [{ label: "Changes", to: "/changes" }];

export function RevisionPage() {
  const number = Number(route.useParams().revision);
  const { can } = useMe();
  const revision = useQuery(revisionQuery(number));
  const head = useStatus().data?.head;
  return (
    <>
      <PageHeader
        title={`Revision ${number}`}
        parents={parents}
        actions={
          <>
            <LinkButton
              to="/changes/compare"
              search={{ from: number, to: head }}
              variant="default"
              disabledReason={head === number ? "It is the newest revision: there is nothing after it." : undefined}
            >
              Compare with the newest
            </LinkButton>
            <LinkButton
              to={`/changes/revisions/${number}/rollback`}
              variant="default"
              leftSection={<IconArrowBackUp size={16} aria-hidden />}
              disabledReason={
                can("update", "revision").disabledReason ??
                (head === number ? "It is the newest revision: everything is so already." : undefined)
              }
            >
              Go back to this
            </LinkButton>
          </>
        }
      />
      <Loaded query={revision}>{(info) => <One revision={info} />}</Loaded>
    </>
  );
}

function One({ revision }: { revision: RevisionInfo }) {
  const { number, origin, counts } = revision;
  const between = useQuery(betweenQuery(number));
  const by = approvedBy(origin);
  const veiled = revision.author === "";
  return (
    <>
      {veiled && (
        <Alert color="gray" variant="light" title="Nothing here is for you to see" mb="md">
          It changed vhosts outside of your scope: that it was made, and when, is all you are told.
        </Alert>
      )}
      <Facts
        facts={[
          ["Message", revision.message],
          ["Author", authorWords(revision.author)],
          ["Approved by", by && authorWords(by)],
          ["Made", <RelativeTime key="at" at={revision.created_at} />],
          ["By way of", <Way key="way" revision={revision} />],
          ["Changes", !veiled && countWords(counts)],
        ]}
      />
      <Stack gap="lg">
        <section aria-labelledby="its-way">
          <Title order={2} size="h4" id="its-way" mb="xs">
            On its way to traffic
          </Title>
          <ItsWay info={revision} />
        </section>
        <section aria-labelledby="what-changed">
          <Title order={2} size="h4" id="what-changed" mb="xs">
            What it changed
          </Title>
          <Loaded query={between}>
            {(diff) => (
              <DiffView
                diff={diff}
                empty={veiled ? "Nothing that you may see." : "Nothing differs from the revision before."}
                actions={({ kind, name }) => (
                  <LinkButton to="/changes" search={{ object: reference(kind, name) }} size="compact-xs" variant="subtle">
                    History
                  </LinkButton>
                )}
              />
            )}
          </Loaded>
        </section>
      </Stack>
    </>
  );
}

function Way({ revision: { origin } }: { revision: RevisionInfo }) {
  if (origin.kind === "change_set") {
    return (
      <Anchor component={Link} to={`/changes/${origin.id}`} underline="always" inherit>
        {originWords(origin)}
      </Anchor>
    );
  }
  if (origin.kind === "take_back") {
    return (
      <>
        {originWords(origin)}:{" "}
        <Anchor component={Link} to={`/changes/deployments/${origin.deployment}`} underline="always" inherit>
          what the engines said
        </Anchor>
      </>
    );
  }
  return <>{originWords(origin)}</>;
}

/** Followed while it moves; of what is past, what became of it. */
function ItsWay({ info }: { info: RevisionInfo }) {
  const revision = info.number;
  const live = useStatus().data?.live;
  const takenBack = useQuery(takenBackQuery(info));
  if (takenBack.data) return <TakenBack by={takenBack.data} />;
  if (takenBack.isPending || live === undefined) return <Skeleton height={60} />;
  if (live > revision) {
    return (
      <Text size="sm">
        It went live. Now revision{" "}
        <Anchor component={Link} to={`/changes/revisions/${live}`} underline="always" inherit>
          {live}
        </Anchor>{" "}
        is live.
      </Text>
    );
  }
  return <Following revision={revision} />;
}

function TakenBack({ by }: { by: RevisionInfo }) {
  const deployment = by.origin.kind === "take_back" ? by.origin.deployment : "";
  const said = useQuery(deploymentQuery(deployment)).data?.said;
  return (
    <Alert color="red" variant="outline" icon={<IconX aria-hidden />} title="It was refused, and taken back" role="alert">
      <Stack gap="xs">
        {said && (
          <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
            {said}
          </Code>
        )}
        <Text size="sm">
          Revision{" "}
          <Anchor component={Link} to={`/changes/revisions/${by.number}`} underline="always" inherit>
            {by.number}
          </Anchor>{" "}
          put everything back as it was. Its author has the content as a refused change set. See{" "}
          <Anchor component={Link} to={`/changes/deployments/${deployment}`} underline="always" inherit>
            the deployment
          </Anchor>
          .
        </Text>
      </Stack>
    </Alert>
  );
}

function Following({ revision }: { revision: number }) {
  const progress = useProgress(revision);
  const { deployment } = progress;
  return (
    <Stack gap="xs">
      <DeploymentProgress revision={revision} {...progress} />
      {deployment && (
        <Anchor component={Link} to={`/changes/deployments/${deployment.id}`} size="sm">
          The deployment
        </Anchor>
      )}
    </Stack>
  );
}
