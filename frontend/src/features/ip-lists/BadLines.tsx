import { Alert, Code, Table, Text } from "@mantine/core";
import type { BadLine } from "./entry-text";

const SHOWN = 200;

/** Each line that was not taken, with why. Nothing was saved. */
export function BadLines({ bad }: { bad: BadLine[] }) {
  if (bad.length === 0) return null;
  return (
    <Alert
      color="red"
      variant="light"
      role="alert"
      title={bad.length === 1 ? "One line cannot be taken: nothing is saved" : `${bad.length} lines cannot be taken: nothing is saved`}
    >
      <Table.ScrollContainer minWidth={420} maxHeight={320} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
        <Table aria-label="Lines that cannot be taken">
          <Table.Thead>
            <Table.Tr>
              <Table.Th w={60}>Line</Table.Th>
              <Table.Th>Text</Table.Th>
              <Table.Th>Why</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {bad.slice(0, SHOWN).map((one) => (
              <Table.Tr key={one.line}>
                <Table.Td>{one.line}</Table.Td>
                <Table.Td>
                  <Code style={{ overflowWrap: "anywhere" }}>{one.text.slice(0, 120)}</Code>
                </Table.Td>
                <Table.Td>{one.reason}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {bad.length >= 100 && <Text size="sm">There may be more: the server tells a hundred at a time.</Text>}
    </Alert>
  );
}
