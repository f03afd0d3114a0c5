import type { VhostRepresentation } from "@guard-proxy/client";
import { Code, Group, List, Stack, Table, Text } from "@mantine/core";
import { CopyButton } from "@/components/CopyButton";
import { Facts } from "@/components/Facts";
import { Part } from "@/components/Part";
import { TextLink } from "@/components/TextLink";
import { labelWords, ON_AMBIGUOUS, pathWords } from "../words";

export function RoutingTab({ vhost }: { vhost: VhostRepresentation }) {
  return (
    <Stack gap="lg">
      <Part title="Hostnames" about="An exact one beats the longest wildcard. A wildcard stands for one label.">
        <List listStyleType="none">
          {vhost.hostnames.map((hostname) => (
            <List.Item key={hostname}>
              <Group gap={4} wrap="nowrap">
                <Text ff="monospace" size="sm" style={{ overflowWrap: "anywhere" }}>
                  {hostname}
                </Text>
                <CopyButton value={hostname} label={`Copy ${hostname}`} />
              </Group>
            </List.Item>
          ))}
        </List>
      </Part>
      <Part title="Paths" about="Parts of the site that are treated otherwise: the longest prefix of a request's path decides.">
        {vhost.paths.length === 0 ? (
          <Text size="sm">The whole site is treated alike.</Text>
        ) : (
          <Table.ScrollContainer minWidth={520}>
            <Table aria-label="Paths">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Prefix</Table.Th>
                  <Table.Th>Policy</Table.Th>
                  <Table.Th>Otherwise than the vhost</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {vhost.paths.map((path) => (
                  <Table.Tr key={path.prefix}>
                    <Table.Td>
                      <Code>{path.prefix}</Code>
                    </Table.Td>
                    <Table.Td>{path.policy ? <TextLink to={`/policies/${path.policy}`}>{path.policy}</TextLink> : "as the vhost"}</Table.Td>
                    <Table.Td>{pathWords(path) || "nothing else"}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </Part>
      <Part title="More">
        <Facts
          facts={[
            ["Ambiguous paths", labelWords(vhost.on_ambiguous_path, ON_AMBIGUOUS)],
            ["WebSocket", vhost.websocket ? "Allowed; what is sent over it is not inspected" : "Not allowed"],
          ]}
        />
      </Part>
    </Stack>
  );
}
