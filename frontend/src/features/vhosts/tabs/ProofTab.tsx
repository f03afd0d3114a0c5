import type { VhostStatus } from "@guard-proxy/client";
import { Alert, Code, Group, Skeleton, Spoiler, Stack, Table, Text } from "@mantine/core";
import { IconAlertOctagon } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { EmptyState } from "@/components/EmptyState";
import { Facts } from "@/components/Facts";
import { Part } from "@/components/Part";
import { ProblemAlert } from "@/components/ProblemAlert";
import { RelativeTime } from "@/components/RelativeTime";
import { StatusBadge } from "@/components/StatusBadge";
import { aim, type Line, readLine, readRow, type Seen } from "../proof";
import { proofQuery } from "../queries";
import { sizeWords } from "../words";

/** What is enforced, seen and not assumed. */
export function ProofTab({ vhost }: { vhost: string }) {
  const { data, error, refetch } = useQuery(proofQuery(vhost));
  if (error && !data) return <ProblemAlert error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton height={240} />;
  return <Shown status={data} />;
}

function Shown({ status }: { status: VhostStatus }) {
  const { proof } = status;
  const lines = proof?.seen.map(readLine) ?? [];
  const row = proof ? readRow(proof.row) : undefined;
  return (
    <Stack gap="lg">
      <Group gap="xs">
        <StatusBadge state={status.state} />
        <Text size="sm">
          {status.live
            ? `Live as it is configured since revision ${status.revision}.`
            : `Changed in revision ${status.revision}, which is not live yet: traffic is treated as of revision ${status.live_revision}.`}
        </Text>
      </Group>
      {status.state === "unproven" && <Faults lines={lines} />}
      {!proof && (
        <EmptyState title="Not probed yet">
          Where more than a hundred vhosts change at once, a sample is probed right away; the others come later, one after another.
        </EmptyState>
      )}
      {proof && (
        <>
          <Part title="Expected" about="What the row of this vhost says; HAProxy reads it once for each request.">
            <Facts
              facts={[
                ["Probed", <RelativeTime key="at" at={proof.at} />],
                ["Host", <Code key="host">{proof.host}</Code>],
                ...(row
                  ? ([
                      ["Mode", <StatusBadge key="mode" state={row.mode} />],
                      ["Paranoia levels", row.levels],
                      ["Thresholds", row.thresholds],
                      ["Rule set", <Code key="rules">{row.ruleSet}</Code>],
                      ["Access profile", row.access],
                      ["Largest body", sizeWords(Number(row.most))],
                      ["Rate limit", row.rate],
                      ["Revision of the vhost", row.revision],
                    ] as [string, React.ReactNode][])
                  : []),
                ["Row", <Code key="row">{proof.row}</Code>],
              ]}
            />
          </Part>
          <Part title="Seen" about={`${lines.length} probes through the real listeners, at revision ${proof.revision}.`}>
            <Probes lines={lines} row={proof.row} />
          </Part>
        </>
      )}
    </Stack>
  );
}

function Faults({ lines }: { lines: Line[] }) {
  const found = lines.filter((line) => line.kind !== "seen");
  return (
    <Alert color="red" icon={<IconAlertOctagon aria-hidden />} title="The last probe saw something else" role="alert">
      <Stack gap="xs">
        {found.length === 0 && <Text size="sm">An engine is away: what it does cannot be seen.</Text>}
        {found.map((line) =>
          line.kind === "wrong" ? (
            <Facts
              key={line.expected}
              facts={[
                ["Expected", line.expected],
                ["Seen", <Code key="saw">{line.saw}</Code>],
              ]}
            />
          ) : (
            <Text key={line.words} size="sm">
              {line.words}
            </Text>
          ),
        )}
      </Stack>
    </Alert>
  );
}

function Probes({ lines, row }: { lines: Line[]; row: string }) {
  return (
    <Table.ScrollContainer minWidth={860}>
      <Table aria-label="Probes" verticalSpacing="xs" layout="fixed">
        <Table.Thead>
          <Table.Tr>
            <Table.Th w="26%">Probe</Table.Th>
            <Table.Th w="14%">From</Table.Th>
            <Table.Th w="11%">Answer</Table.Th>
            <Table.Th w="15%">WAF</Table.Th>
            <Table.Th w="18%">Row</Table.Th>
            <Table.Th w="16%">Rules</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {lines.map((line, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: they are told in this order, and two may be alike
            <Table.Tr key={at}>{line.kind === "seen" ? <Probe seen={line.seen} row={row} /> : <Other line={line} />}</Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Probe({ seen, row }: { seen: Seen; row: string }) {
  return (
    <>
      <Table.Td>
        <Text size="sm" fw={600}>
          {seen.what}
        </Text>
        <Text size="xs" c="dimmed">
          {aim(seen.what)}
        </Text>
      </Table.Td>
      <Table.Td>
        <Code>{seen.client}</Code>
      </Table.Td>
      <Table.Td>
        {seen.status}
        {seen.passed && ", passed"}
      </Table.Td>
      <Table.Td>
        {seen.access && `${seen.access}, `}
        {seen.asked ? `asked${seen.score && `, score ${seen.score}`}` : "not asked"}
        {seen.fault && `, fault ${seen.fault}`}
      </Table.Td>
      <Table.Td style={{ overflowWrap: "anywhere" }}>{seen.row === row ? "as expected" : <Code>{seen.row || "none"}</Code>}</Table.Td>
      <Table.Td>
        <Spoiler maxHeight={38} showLabel="All" hideLabel="Less" styles={{ control: { fontSize: "var(--mantine-font-size-xs)" } }}>
          <Text size="xs" ff="monospace" style={{ overflowWrap: "anywhere" }}>
            {seen.rules.join(", ") || "none"}
          </Text>
        </Spoiler>
      </Table.Td>
    </>
  );
}

function Other({ line }: { line: Exclude<Line, { kind: "seen" }> }) {
  return <Table.Td colSpan={6}>{line.kind === "wrong" ? `Expected: ${line.expected}; seen: ${line.saw}` : line.words}</Table.Td>;
}
