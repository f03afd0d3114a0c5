import type { TrafficPoint } from "@guard-proxy/client";
import { Table, Text } from "@mantine/core";

export type Count = Exclude<keyof TrafficPoint, "at">;

export const COLUMNS: [Count, string][] = [
  ["forwarded", "Forwarded"],
  ["server_errors", "5xx"],
  ["inspected", "Inspected"],
  ["blocked", "Blocked"],
  ["detected", "Detected"],
  ["failed", "No verdict"],
];
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
export const words = (value: number) => value.toLocaleString("en");

/** All numbers, for who asks for them: the newest minute first. */
export function TrafficTable({ points }: { points: TrafficPoint[] }) {
  return (
    <details>
      <Text component="summary" size="sm" style={{ cursor: "pointer" }}>
        Numbers
      </Text>
      <Table.ScrollContainer minWidth={520} maxHeight={320}>
        <Table aria-label="Requests by the minute" stickyHeader>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Minute</Table.Th>
              {COLUMNS.map(([count, label]) => (
                <Table.Th key={count} ta="right">
                  {label}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {points.toReversed().map((point) => (
              <Table.Tr key={point.at}>
                <Table.Td>{clock.format(new Date(point.at))}</Table.Td>
                {COLUMNS.map(([count]) => (
                  <Table.Td key={count} ta="right">
                    {words(point[count])}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </details>
  );
}
