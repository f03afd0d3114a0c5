import { Badge, Button, Code, Group, Modal, Radio, Stack, Table, Text } from "@mantine/core";
import { useMemo, useState } from "react";
import { differences, merged, type Side, type Value } from "@/lib/conflict";

type Props = {
  /** What it is about: `Policy shop`. */
  what: string;
  /** As it was when editing began. */
  base: Value;
  /** As it is in the form. */
  mine: Value;
  /** As it is now: `current` of the problem `precondition_failed`. */
  theirs: Value;
  onClose: () => void;
  /** What is to be edited on, or written, with the ETag of `theirs`. */
  onResolve: (value: Value) => void;
};

/** Somebody else changed it meanwhile: both versions side by side, field by field. What one alone changed is kept. */
export function ConflictModal({ what, base, mine, theirs, onClose, onResolve }: Props) {
  const fields = useMemo(() => differences(base, mine, theirs), [base, mine, theirs]);
  const [taken, setTaken] = useState<Record<string, Side>>({});
  const side = (pointer: string, first: Side) => taken[pointer] ?? first;
  const all = (which: Side) => setTaken(Object.fromEntries(fields.map(({ pointer }) => [pointer, which])));
  const open = fields.some(({ pointer, by }) => by === "both" && !taken[pointer]);
  const resolve = () => {
    const choice = Object.fromEntries(fields.map(({ pointer, by }) => [pointer, side(pointer, by === "mine" ? "mine" : "theirs")]));
    onResolve(merged(mine, theirs, choice));
  };
  return (
    <Modal opened onClose={onClose} size="xl" title={`${what} was changed meanwhile`}>
      <Stack>
        <Text size="sm">
          Somebody else saved it while you edited. What only one of you changed is kept; where both did, choose. Nothing is saved yet.
        </Text>
        <Table.ScrollContainer minWidth={560}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Field</Table.Th>
                <Table.Th>Mine</Table.Th>
                <Table.Th>Theirs</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {fields.map(({ pointer, by, mine, theirs }) => {
                const value = by === "both" ? taken[pointer] : side(pointer, by);
                const choose = (which: Side) => setTaken((before) => ({ ...before, [pointer]: which }));
                return (
                  <Table.Tr key={pointer}>
                    <Table.Td>
                      <Code>{pointer}</Code> {by === "both" && <Badge color="red">both</Badge>}
                    </Table.Td>
                    {(["mine", "theirs"] as const).map((which) => (
                      <Table.Td key={which} style={{ verticalAlign: "top" }}>
                        <Radio
                          name={pointer}
                          checked={value === which}
                          onChange={() => choose(which)}
                          aria-label={`${pointer}: ${which}`}
                          label={<Shown value={which === "mine" ? mine : theirs} />}
                        />
                      </Table.Td>
                    ))}
                  </Table.Tr>
                );
              })}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
        <Group justify="space-between">
          <Group gap="xs">
            <Button variant="default" size="xs" onClick={() => all("mine")}>
              Keep mine
            </Button>
            <Button variant="default" size="xs" onClick={() => all("theirs")}>
              Take theirs
            </Button>
          </Group>
          <Button onClick={resolve} disabled={open}>
            Go on with this
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function Shown({ value }: { value: unknown }) {
  if (value === undefined) return <Text size="sm">(not there)</Text>;
  return (
    <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
      {typeof value === "string" ? value : JSON.stringify(value, null, 1)}
    </Code>
  );
}
