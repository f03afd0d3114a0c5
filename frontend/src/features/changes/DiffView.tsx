import type { ChangeType, Diff, FieldChange, FieldError, ObjectDiff } from "@guard-proxy/client";
import { Alert, Badge, Code, Group, List, Paper, SimpleGrid, Stack, Text, Title, UnstyledButton } from "@mantine/core";
import { IconChevronDown, IconChevronRight, IconX } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import { CodeDiff } from "@/components/CodeDiff";
import { TextLink } from "@/components/TextLink";
import { kindWords, objectOf, objectPage, reference } from "@/lib/objects";
import type { Working } from "@/working/working";
import classes from "./DiffView.module.css";
import { CHANGE_COLORS, CHANGE_WORDS } from "./words";

type Props = {
  diff: Diff;
  /** What an engine or the server said, with pointers from the root: shown at the objects that they point into. */
  errors?: FieldError[];
  /** What can be done with one object. */
  actions?: (object: ObjectDiff) => ReactNode;
  empty?: string;
  /** Where the objects are as the diff has them: through its change set. */
  search?: Working | undefined;
};

export function ChangeBadge({ change }: { change: ChangeType }) {
  return (
    <Badge variant="light" color={CHANGE_COLORS[change] ?? "gray"} tt="none">
      {CHANGE_WORDS[change] ?? change}
    </Badge>
  );
}

/** What differs, object by object, in words; each field can be opened to see both sides. */
export function DiffView({ diff, errors = [], actions, empty = "Nothing differs.", search }: Props) {
  if (diff.changes.length === 0) return <Text>{empty}</Text>;
  return (
    <Stack gap="sm">
      {diff.changes.map((object) => (
        <OneObject
          key={reference(object.kind, object.name)}
          object={object}
          search={search}
          errors={errors.filter(({ pointer }) => objectOf(pointer) === reference(object.kind, object.name))}
          actions={actions?.(object)}
        />
      ))}
      {diff.left_out > 0 && <Text>and {diff.left_out} more objects, which are not shown here</Text>}
    </Stack>
  );
}

type OneProps = { object: ObjectDiff; errors: FieldError[]; actions: ReactNode; search: Working | undefined };

function OneObject({ object, errors, actions, search }: OneProps) {
  const { kind, name, change, fields } = object;
  return (
    <Paper withBorder p="sm" component="section" aria-label={`${kindWords(kind)} ${name}`}>
      <Group justify="space-between" gap="xs" mb={4}>
        <Group gap="xs">
          <Title order={3} size="h5" style={{ overflowWrap: "anywhere" }}>
            <Text span c="dimmed" inherit fw={400}>
              {kindWords(kind)}
            </Text>{" "}
            <TextLink to={objectPage(kind, name)} search={search}>
              {name}
            </TextLink>
          </Title>
          <ChangeBadge change={change} />
        </Group>
        {actions && <Group gap={4}>{actions}</Group>}
      </Group>
      {errors.length > 0 && (
        <Alert color="red" variant="light" my="xs" icon={<IconX aria-hidden />} title="Refused for this">
          <List size="sm">
            {errors.map((one) => (
              <List.Item key={`${one.pointer} ${one.code}`} style={{ overflowWrap: "anywhere" }}>
                <Code>{one.pointer}</Code> {one.line ? `line ${one.line}: ` : ""}
                {one.detail}
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
      {fields.map((field) => (
        <Field key={field.pointer} field={field} />
      ))}
      {object.fields_left_out > 0 && <Text size="sm">and {object.fields_left_out} more</Text>}
    </Paper>
  );
}

function Field({ field }: { field: FieldChange }) {
  const [opened, setOpened] = useState(false);
  const Icon = opened ? IconChevronDown : IconChevronRight;
  return (
    <div>
      <UnstyledButton className={classes.field} onClick={() => setOpened(!opened)} aria-expanded={opened}>
        <Icon size={14} aria-hidden className={classes.icon} />
        <span>{field.words}</span>
      </UnstyledButton>
      {opened && <Sides field={field} />}
    </div>
  );
}

function Sides({ field }: { field: FieldChange }) {
  const [before, after] = [shown(field.before), shown(field.after)];
  const long = before.includes("\n") && after.includes("\n");
  return (
    <div className={classes.sides}>
      <Code>{field.pointer}</Code>
      {long ? (
        <CodeDiff before={before} after={after} label={`${field.pointer}, before and after`} />
      ) : (
        <SimpleGrid cols={{ base: 1, sm: 2 }} mt={4}>
          <Side title="Before" text={before} />
          <Side title="After" text={after} />
        </SimpleGrid>
      )}
    </div>
  );
}

function Side({ title, text }: { title: string; text: string }) {
  return (
    <div>
      <Text size="xs" c="dimmed">
        {title}
      </Text>
      <Code block className={classes.value}>
        {text || "(not there)"}
      </Code>
    </div>
  );
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
