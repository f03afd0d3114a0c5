import type { Deployment, Status } from "@guard-proxy/client";
import { Box, Group, Paper, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { DeploymentProgress, Steps } from "@/change/DeploymentProgress";
import { useProgress } from "@/change/use-deployment";
import { duration } from "@/change/words";
import { Part } from "@/components/Part";
import { RelativeTime } from "@/components/RelativeTime";
import { StatusBadge } from "@/components/StatusBadge";
import { TextLink } from "@/components/TextLink";
import { deploymentsQuery, newestQuery } from "./queries";

/** The newest revision, and its way to traffic. */
export function Newest({ status }: { status: Status }) {
  const revision = useQuery(newestQuery).data;
  return (
    <Part title="Newest revision">
      {revision && (
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          <TextLink to={`/changes/revisions/${revision.number}`}>Revision {revision.number}</TextLink>
          {revision.message && `: ${revision.message}`}, by {revision.author}, <RelativeTime at={revision.created_at} />
        </Text>
      )}
      {status.current ? <Way deployment={status.deployment} /> : <UnderWay revision={status.head} />}
    </Part>
  );
}

function UnderWay({ revision }: { revision: number }) {
  return <DeploymentProgress revision={revision} {...useProgress(revision)} />;
}

function Way({ deployment }: { deployment: Deployment | null }) {
  if (!deployment) return <Text size="sm">Nothing was brought to traffic yet.</Text>;
  return (
    // The browser's own: a part of a library less on the first page.
    <Paper withBorder p="sm" component="details">
      <summary style={{ cursor: "pointer" }}>
        <Group gap="xs" component="span" display="inline-flex">
          <StatusBadge state={deployment.state} />
          <Text size="sm" span>
            {deployment.lanes.length > 0 ? `by ${deployment.lanes.join(", ")}` : "nothing had to change"}
            {deployment.ended_at && ` in ${took(deployment)}`}
          </Text>
        </Group>
      </summary>
      <Box mt="sm">
        <Steps deployment={deployment} />
      </Box>
    </Paper>
  );
}

function took({ created_at, ended_at }: Deployment): string {
  return ended_at ? duration((Date.parse(ended_at) - Date.parse(created_at)) * 1000) : "";
}

export function Deployments() {
  const items = useQuery(deploymentsQuery).data?.items ?? [];
  if (items.length === 0) return null;
  return (
    <Part title="Last deployments">
      <Stack gap={4}>
        <Box style={{ overflowX: "auto" }}>
          <Table aria-label="Last deployments" verticalSpacing={6} miw={440}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Revision</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th>Lanes</Table.Th>
                <Table.Th ta="right">Took</Table.Th>
                <Table.Th ta="right">Began</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {items.map((one) => (
                <Table.Tr key={one.id}>
                  <Table.Td>
                    <TextLink to={`/changes/deployments/${one.id}`}>{one.revision}</TextLink>
                  </Table.Td>
                  <Table.Td>
                    <StatusBadge state={one.state} />
                  </Table.Td>
                  <Table.Td>{one.lanes.join(", ") || "none"}</Table.Td>
                  <Table.Td ta="right">{took(one)}</Table.Td>
                  <Table.Td ta="right">
                    <RelativeTime at={one.created_at} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Box>
        <Text size="sm">
          <TextLink to="/changes/deployments">All deployments</TextLink>
        </Text>
      </Stack>
    </Part>
  );
}
