import type { Mode } from "@guard-proxy/client";
import { Alert, Badge, Group, Input, SegmentedControl, Stack, Table, Text } from "@mantine/core";
import { IconEye } from "@tabler/icons-react";
import { LEVELS, levelWords } from "./words";

type Paranoia = { blocking: number; detection: number };
type Props = {
  value: Paranoia;
  onChange: (value: Paranoia) => void;
  mode: Mode;
  errors: { blocking?: React.ReactNode; detection?: React.ReactNode };
  disabled: boolean;
};

const DATA = LEVELS.map(({ level }) => String(level));

/** Both levels together, since detection is never below blocking: the table says what comes of them. */
export function ParanoiaField({ value, onChange, mode, errors, disabled }: Props) {
  const { blocking, detection } = value;
  return (
    <Stack gap="sm">
      <Group gap="xl" align="flex-start">
        <Level
          label="Blocking paranoia level"
          about="Rules up to this level count towards the score."
          value={blocking}
          error={errors.blocking}
          disabled={disabled}
          onChange={(next) => onChange({ blocking: next, detection: Math.max(next, detection) })}
        />
        <Level
          label="Detection paranoia level"
          about="Rules up to this level run. Those above blocking only report."
          value={detection}
          error={errors.detection}
          disabled={disabled}
          onChange={(next) => onChange({ blocking: Math.min(next, blocking), detection: next })}
        />
      </Group>
      <Table.ScrollContainer minWidth={520}>
        <Table aria-label="What each paranoia level does" verticalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th w={60}>Level</Table.Th>
              <Table.Th w={170}>With these settings</Table.Th>
              <Table.Th>Finds</Table.Th>
              <Table.Th>Costs</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {LEVELS.map(({ level, gets, costs }) => (
              <Table.Tr key={level}>
                <Table.Td>{level}</Table.Td>
                <Table.Td>
                  <Badge color={colour(level, value, mode)} variant="light" tt="none">
                    {levelWords(level, blocking, detection, mode)}
                  </Badge>
                </Table.Td>
                <Table.Td>{gets}</Table.Td>
                <Table.Td>{costs}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Text size="sm" c="dimmed">
        Each level that runs adds rules, so every inspected request costs a little more, whether they count or not.
      </Text>
      {detection > blocking && mode !== "off" && (
        <Alert color="blue" variant="light" icon={<IconEye aria-hidden />} title="Shadow mode">
          <Text size="sm">
            Rules of level {blocking + 1 === detection ? detection : `${blocking + 1} to ${detection}`} run on all requests, but their
            matches are only reported: they add nothing to the score and deny nobody. See in the events what would be denied, make
            exclusions for what is no attack, and raise the blocking level then.
          </Text>
        </Alert>
      )}
    </Stack>
  );
}

function colour(level: number, { blocking, detection }: Paranoia, mode: Mode): string {
  if (mode === "off" || level > detection) return "gray";
  if (level > blocking) return "blue";
  return mode === "block" ? "green" : "yellow";
}

type LevelProps = {
  label: string;
  about: string;
  value: number;
  onChange: (value: number) => void;
  error: React.ReactNode;
  disabled: boolean;
};

function Level({ label, about, value, onChange, error, disabled }: LevelProps) {
  return (
    <Input.Wrapper label={label} description={about} error={error} labelElement="div">
      <SegmentedControl
        mt={4}
        aria-label={label}
        data={DATA}
        value={String(value)}
        onChange={(next) => onChange(Number(next))}
        disabled={disabled}
      />
    </Input.Wrapper>
  );
}
