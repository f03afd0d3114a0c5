import type { VhostRepresentation } from "@guard-proxy/client";
import { Badge, Code, Stack, Table, Text } from "@mantine/core";
import { Facts } from "@/components/Facts";
import { Part } from "@/components/Part";
import { BALANCES, labelWords, timeWords } from "../words";

export function UpstreamTab({ vhost: { upstream } }: { vhost: VhostRepresentation }) {
  const { health_check, servers, timeouts } = upstream;
  const all = servers.filter((one) => !one.backup).reduce((sum, { weight }) => sum + weight, 0);
  return (
    <Stack gap="lg">
      <Part
        title="Servers"
        about={
          health_check
            ? "Which of them are up is known to HAProxy; the API does not tell it yet."
            : "None is checked: all count as up, whatever they answer."
        }
      >
        <Table.ScrollContainer minWidth={480}>
          <Table aria-label="Servers">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>Address</Table.Th>
                <Table.Th ta="right">Weight</Table.Th>
                <Table.Th ta="right">Share</Table.Th>
                <Table.Th>Role</Table.Th>
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
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
        <Text size="sm">{labelWords(upstream.balance, BALANCES)}. Backups are used when no other server is up.</Text>
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
