import type { ServerStatus, VhostRepresentation } from "@guard-proxy/client";
import { Badge, Code, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Facts } from "@/components/Facts";
import { Part } from "@/components/Part";
import { ProblemAlert } from "@/components/ProblemAlert";
import { RelativeTime } from "@/components/RelativeTime";
import { StatusBadge } from "@/components/StatusBadge";
import { words } from "@/features/traffic/TrafficTable";
import { serversQuery } from "../queries";
import { BALANCES, labelWords, timeWords } from "../words";

export function UpstreamTab({ vhost: { name, upstream } }: { vhost: VhostRepresentation }) {
  const { data, error, dataUpdatedAt, refetch } = useQuery(serversQuery(name));
  const { health_check, servers, timeouts } = upstream;
  const all = servers.filter((one) => !one.backup).reduce((sum, { weight }) => sum + weight, 0);
  return (
    <Stack gap="lg">
      <Part title="Servers" about={health_check ? "As HAProxy sees them now." : "None is checked: all count as up, whatever they answer."}>
        {error && <ProblemAlert error={error} onRetry={() => void refetch()} />}
        <Table.ScrollContainer minWidth={960}>
          <Table aria-label="Servers">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>Address</Table.Th>
                <Table.Th ta="right">Weight</Table.Th>
                <Table.Th ta="right">Share</Table.Th>
                <Table.Th>Role</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th>Last check</Table.Th>
                <Table.Th ta="right">Requests</Table.Th>
                <Table.Th ta="right">At work on</Table.Th>
                <Table.Th ta="right">No connection</Table.Th>
                <Table.Th ta="right">Broken answers</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {servers.map((server) => (
                <Table.Tr key={server.name}>
                  <Table.Td>{server.name}</Table.Td>
                  <Table.Td>
                    <Code>{server.address.includes(":") ? `[${server.address}]:${server.port}` : `${server.address}:${server.port}`}</Code>
                  </Table.Td>
                  <Table.Td ta="right">{server.weight}</Table.Td>
                  <Table.Td ta="right">{server.backup || all === 0 ? "" : `${Math.round((100 * server.weight) / all)} %`}</Table.Td>
                  <Table.Td>
                    {server.backup && (
                      <Badge variant="light" color="gray" tt="none">
                        backup
                      </Badge>
                    )}
                  </Table.Td>
                  {data && <Live server={data.items.find(({ name }) => name === server.name)} at={dataUpdatedAt} />}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
        <Text size="sm">
          {labelWords(upstream.balance, BALANCES)}. Backups are used when no other server is up. Requests are counted since HAProxy's worker
          began.
        </Text>
      </Part>
      <Part title="Health check">
        {health_check ? (
          <Facts
            facts={[
              ["Asks for", <Code key="path">{health_check.path}</Code>],
              ["Healthy", `${health_check.expect_status}`],
              ["Every", timeWords(health_check.interval_ms)],
              ["Down after", `${health_check.fall} bad`],
              ["Up after", `${health_check.rise} good`],
            ]}
          />
        ) : (
          <Text size="sm">None.</Text>
        )}
      </Part>
      <Part title="Timeouts">
        <Facts
          facts={[
            ["To connect", timeWords(timeouts.connect_ms)],
            ["For a free connection", timeWords(timeouts.queue_ms)],
            ["Between two pieces of an answer", timeWords(timeouts.response_ms)],
          ]}
        />
      </Part>
    </Stack>
  );
}

const COUNTS = ["requests", "sessions", "connect_errors", "response_errors"] as const;

/** What HAProxy sees of a server; nothing of one that is not live yet. */
function Live({ server, at }: { server: ServerStatus | undefined; at: number }) {
  if (!server) return <Table.Td colSpan={2 + COUNTS.length}>not live yet</Table.Td>;
  const { state, in_state_s, check } = server;
  return (
    <>
      <Table.Td>
        <StatusBadge state={state} /> <RelativeTime at={new Date(at - in_state_s * 1000).toISOString()} />
      </Table.Td>
      <Table.Td style={{ overflowWrap: "anywhere" }}>
        {check && [check.said, check.code, timeWords(check.took_ms)].filter(Boolean).join(", ")}
      </Table.Td>
      {COUNTS.map((count) => (
        <Table.Td key={count} ta="right">
          {words(server[count])}
        </Table.Td>
      ))}
    </>
  );
}
