import { Group, Radio, Stack, Text } from "@mantine/core";
import { MODES } from "./words";

type Props = { value: string; onChange: (value: string) => void; error?: React.ReactNode; disabled: boolean };

export function ModeField({ value, onChange, error, disabled }: Props) {
  return (
    <Radio.Group label="Mode" value={value} onChange={onChange} error={error}>
      <Stack gap="xs" mt={4}>
        {MODES.map((mode) => (
          <Radio.Card key={mode.value} value={mode.value} p="sm" disabled={disabled} aria-label={`${mode.label}: ${mode.about}`}>
            <Group wrap="nowrap" align="flex-start" gap="sm">
              <Radio.Indicator disabled={disabled} />
              <div>
                <Text size="sm" fw={600}>
                  {mode.label}
                </Text>
                <Text size="sm" c="dimmed">
                  {mode.about}
                </Text>
              </div>
            </Group>
          </Radio.Card>
        ))}
      </Stack>
    </Radio.Group>
  );
}
