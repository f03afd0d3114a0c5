import { Group, Kbd, Modal, Table } from "@mantine/core";
import { places } from "./places";

export default function ShortcutsHelp({ close }: { close: () => void }) {
  return (
    <Modal opened onClose={close} title="Keys">
      <Table>
        <Table.Tbody>
          <Row keys={["?"]}>These keys</Row>
          <Row keys={["/"]}>Search on this page</Row>
          {places.map(({ key, label }) => (
            <Row key={key} keys={["g", key]}>
              {label}
            </Row>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  );
}

function Row({ keys, children }: { keys: string[]; children: React.ReactNode }) {
  return (
    <Table.Tr>
      <Table.Td w={100}>
        <Group gap={4}>
          {keys.map((key) => (
            <Kbd key={key}>{key}</Kbd>
          ))}
        </Group>
      </Table.Td>
      <Table.Td>{children}</Table.Td>
    </Table.Tr>
  );
}
