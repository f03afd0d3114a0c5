import type { PolicyRepresentation, VhostRepresentation } from "@guard-proxy/client";
import { Code, Skeleton, Stack, Table, Text } from "@mantine/core";
import { useQueries } from "@tanstack/react-query";
import { Part } from "@/components/Part";
import { ProblemAlert } from "@/components/ProblemAlert";
import { StatusBadge } from "@/components/StatusBadge";
import { TextLink } from "@/components/TextLink";
import { policyQuery } from "@/features/policies/policy";

/** Which policy treats which part of the site; the most specific first, as requests meet them. */
export function PolicyTab({ vhost }: { vhost: VhostRepresentation }) {
  const parts = vhost.paths
    .filter(({ policy }) => Boolean(policy))
    .map(({ prefix, policy }) => ({ prefix, policy: policy ?? vhost.policy }))
    .sort((a, b) => b.prefix.length - a.prefix.length);
  const names = [...new Set([vhost.policy, ...parts.map(({ policy }) => policy)])];
  const asked = useQueries({ queries: names.map(policyQuery) });
  const policies = new Map(names.map((name, at) => [name, asked[at]?.data]));
  const error = asked.find((one) => one.error)?.error;
  const row = (path: string, policy: string) => <Row key={path} path={path} name={policy} policy={policies.get(policy)} />;
  return (
    <Stack gap="lg">
      {error && <ProblemAlert error={error} />}
      <Part title="Policy by path" about="A request is treated by the first of these that covers its path.">
        <Table.ScrollContainer minWidth={620}>
          <Table aria-label="Policy by path">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Path</Table.Th>
                <Table.Th>Policy</Table.Th>
                <Table.Th>Mode</Table.Th>
                <Table.Th ta="right">Level that blocks</Table.Th>
                <Table.Th ta="right">Level that reports</Table.Th>
                <Table.Th ta="right">Threshold</Table.Th>
                <Table.Th ta="right">Exclusions</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {parts.map(({ prefix, policy }) => row(prefix, policy))}
              {row(parts.length > 0 ? "everything else" : "everything", vhost.policy)}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
        {parts.length > 0 && (
          <Text size="sm" c="dimmed">
            {vhost.on_ambiguous_path === "strict"
              ? "A path that servers may read in more than one way is treated by the strictest of all that inspect."
              : "A path that servers may read in more than one way is refused with 400."}
          </Text>
        )}
      </Part>
    </Stack>
  );
}

function Row({ path, name, policy }: { path: string; name: string; policy: PolicyRepresentation | undefined }) {
  return (
    <Table.Tr>
      <Table.Td>{path.startsWith("/") ? <Code>{path}</Code> : path}</Table.Td>
      <Table.Td>
        <TextLink to={`/policies/${name}`}>{name}</TextLink>
      </Table.Td>
      {policy ? (
        <>
          <Table.Td>
            <StatusBadge state={policy.mode} />
          </Table.Td>
          <Table.Td ta="right">{policy.paranoia.blocking}</Table.Td>
          <Table.Td ta="right">{policy.paranoia.detection}</Table.Td>
          <Table.Td ta="right">{policy.thresholds.inbound}</Table.Td>
          <Table.Td ta="right">{policy.exclusions.filter((one) => one.enabled).length}</Table.Td>
        </>
      ) : (
        <Table.Td colSpan={5}>
          <Skeleton height={16} />
        </Table.Td>
      )}
    </Table.Tr>
  );
}
