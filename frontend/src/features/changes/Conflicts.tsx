import type { Conflict } from "@guard-proxy/client";
import { Alert, Button, Code, Group, Paper, Radio, SimpleGrid, Stack, Text } from "@mantine/core";
import { IconArrowsSplit } from "@tabler/icons-react";
import { useState } from "react";
import { kindWords, reference } from "@/lib/objects";
import { type Choice, resolve, type Side } from "./staging";

type Props = { changeSet: string; conflicts: Conflict[]; run: (work: () => Promise<unknown>) => Promise<boolean>; busy: boolean };

/** Of one object its members and the order of its rules are two. */
const id = ({ kind, name, element, fields }: Conflict) => `${reference(kind, name)}${element} ${fields}`;

/** What both changed, both sides of it. Each is decided; then the change set is brought onto the newest revision. */
export function Conflicts({ changeSet, conflicts, run, busy }: Props) {
  const [chosen, setChosen] = useState<Record<string, Choice>>({});
  const open = conflicts.filter((one) => !chosen[id(one)]).length;
  return (
    <Alert color="yellow" variant="light" icon={<IconArrowsSplit aria-hidden />} title="Somebody else changed the same" role="alert">
      <Stack>
        <Text size="sm">
          Choose for each which side it is to be. What only one side changed is kept either way. Nothing is committed by it.
        </Text>
        {conflicts.map((one) => (
          <One key={id(one)} conflict={one} choice={chosen[id(one)]} onChoose={(choice) => setChosen({ ...chosen, [id(one)]: choice })} />
        ))}
        <Group>
          <Button
            loading={busy}
            disabled={open > 0}
            onClick={() => void run(() => resolve(changeSet, conflicts, (one) => chosen[id(one)] ?? "theirs"))}
          >
            Settle it so
          </Button>
          {open > 0 && <Text size="sm">{open === 1 ? "One is" : `${open} are`} not decided yet.</Text>}
        </Group>
      </Stack>
    </Alert>
  );
}

type OneProps = { conflict: Conflict; choice: Choice | undefined; onChoose: (choice: Choice) => void };

function One({ conflict, choice, onChoose }: OneProps) {
  const { kind, name, element, fields, theirs_revision, base, yours, theirs } = conflict;
  const both = { yours, theirs };
  const shown = (side: Side) => (side === null ? "(not there)" : JSON.stringify(contested(side, fields), null, 1));
  return (
    <Paper withBorder p="sm" component="fieldset" m={0} miw={0}>
      <Text component="legend" fw={600} size="sm" px={4}>
        {`${kindWords(kind)} ${name}${element}`}
      </Text>
      <Text size="sm" mb="xs">
        Both changed {fields.join(", ")}; theirs came with revision {theirs_revision || "that deleted it"}.
      </Text>
      <SimpleGrid cols={{ base: 1, md: 3 }}>
        <div>
          <Text size="sm" mb={4}>
            As it was
          </Text>
          <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
            {shown(base)}
          </Code>
        </div>
        {(["yours", "theirs"] as const).map((which) => (
          <div key={which}>
            <Radio
              name={id(conflict)}
              label={which === "yours" ? "Yours" : "Theirs"}
              checked={choice === which}
              onChange={() => onChoose(which)}
              mb={4}
            />
            <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
              {shown(both[which])}
            </Code>
          </div>
        ))}
      </SimpleGrid>
    </Paper>
  );
}

/** The contested members; of an array that was put in another order, all of it. */
function contested(side: NonNullable<Side>, fields: string[]): unknown {
  if (Array.isArray(side)) return side;
  const names = fields.map((pointer) => pointer.split("/")[1] ?? "");
  return Object.fromEntries(Object.entries(side).filter(([name]) => names.includes(name)));
}
