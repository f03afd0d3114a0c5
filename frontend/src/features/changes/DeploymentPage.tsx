import type { Deployment } from "@guard-proxy/client";
import { Alert, Anchor, Code, List, Stack, Text, Title } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { Steps } from "@/change/DeploymentProgress";
import { Facts } from "@/components/Facts";
import { Loaded } from "@/components/Loaded";
import { PageHeader } from "@/components/PageHeader";
import { RelativeTime } from "@/components/RelativeTime";
import { StatusBadge } from "@/components/StatusBadge";
import { objectOf } from "@/lib/objects";
import { deploymentQuery } from "./queries";

const route = getRouteApi("/_app/changes/deployments/$deployment");

export function DeploymentPage() {
  const query = useQuery(deploymentQuery(route.useParams().deployment));
  return (
    <>
      <PageHeader
        title={query.data ? `Deployment of revision ${query.data.revision}` : "Deployment"}
        parents={[
          { label: "Changes", to: "/changes" },
          { label: "Deployments", to: "/changes/deployments" },
        ]}
      />
      <Loaded query={query}>{(deployment) => <One deployment={deployment} />}</Loaded>
    </>
  );
}

function One({ deployment }: { deployment: Deployment }) {
  const { state, said, errors } = deployment;
  const bad = state === "refused" || state === "retrying";
  return (
    <Stack>
      {bad && (
        <Alert
          color={state === "refused" ? "red" : "yellow"}
          variant="light"
          icon={<IconX aria-hidden />}
          title={
            state === "refused" ? "It was refused; what was live stays live" : "It could not be brought to the node yet; it is tried again"
          }
          role="alert"
        >
          <Stack gap="xs">
            {said ? (
              <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
                {said}
              </Code>
            ) : (
              <Text size="sm">What was said is about vhosts that you do not see.</Text>
            )}
            {errors.length > 0 && (
              <List size="sm">
                {errors.map((one) => (
                  <List.Item key={`${one.pointer} ${one.code}`} style={{ overflowWrap: "anywhere" }}>
                    <ObjectLink pointer={one.pointer} /> {one.line ? `line ${one.line}: ` : ""}
                    {one.detail}
                  </List.Item>
                ))}
              </List>
            )}
          </Stack>
        </Alert>
      )}
      <Facts
        facts={[
          ["State", <StatusBadge key="state" state={state} />],
          [
            "Revision",
            <Anchor key="revision" component={Link} to={`/changes/revisions/${deployment.revision}`} underline="always" inherit>
              {deployment.revision}
            </Anchor>,
          ],
          ["Lanes", deployment.lanes.join(", ")],
          ["Begun", <RelativeTime key="begun" at={deployment.created_at} />],
          ["Ended", deployment.ended_at ? <RelativeTime key="ended" at={deployment.ended_at} /> : "not yet"],
          ["Attempts", deployment.attempts],
          ["Said", !bad && said],
          [
            "Made with",
            Object.entries(deployment.made_with)
              .map(([name, version]) => `${name.replaceAll("_", "-")} ${version}`)
              .join(", "),
          ],
          ["Bundle", deployment.bundle_digest && <Code key="bundle">{deployment.bundle_digest}</Code>],
        ]}
      />
      <Title order={2} size="h4">
        Steps
      </Title>
      {deployment.steps.length === 0 ? <Text size="sm">None yet.</Text> : <Steps deployment={deployment} />}
    </Stack>
  );
}

function ObjectLink({ pointer }: { pointer: string }) {
  const object = objectOf(pointer);
  if (!object) return <Code>{pointer}</Code>;
  return (
    <Anchor component={Link} to={`/${object}`} underline="always" inherit ff="monospace">
      {pointer}
    </Anchor>
  );
}
