import { Button, Fieldset, Group, NumberInput, Paper, Select, SimpleGrid, Stack, Switch, Text, TextInput } from "@mantine/core";
import { NamePicker } from "../NamePicker";
import { ON_AMBIGUOUS, ON_PARTIAL, ON_UNAVAILABLE, sizeWords } from "../words";
import type { FieldsProps } from "./Basics";
import { NO_PATH } from "./values";

export function Treatment({ form, disabled }: FieldsProps) {
  const { values } = form;
  return (
    <Fieldset legend="Treatment" disabled={disabled}>
      <Stack gap="sm">
        <NamePicker
          of="policies"
          label="Policy"
          description="Mode, paranoia levels, thresholds, exclusions and rules."
          required
          maw={420}
          {...form.getInputProps("policy")}
          value={values.policy || null}
          onChange={(policy) => form.setFieldValue("policy", policy ?? "")}
        />
        <Select
          label="When no agent can be asked"
          data={ON_UNAVAILABLE}
          allowDeselect={false}
          maw={420}
          {...form.getInputProps("on_waf_unavailable")}
        />
        <Switch
          label="WebSocket"
          description="Requests may become WebSocket connections. What is sent over them is not inspected."
          {...form.getInputProps("websocket", { type: "checkbox" })}
        />
        <Paths form={form} disabled={disabled} />
        <Select
          label="A path that servers may read in more than one way"
          description="With //, /../, %2e and the like. It matters where parts of the site are treated otherwise."
          data={ON_AMBIGUOUS}
          allowDeselect={false}
          maw={420}
          {...form.getInputProps("on_ambiguous_path")}
        />
      </Stack>
    </Fieldset>
  );
}

const AS_VHOST = "As the vhost";

function Paths({ form, disabled }: FieldsProps) {
  const { paths } = form.values;
  return (
    <Stack gap={6} role="group" aria-labelledby="paths-name">
      <div>
        <Text id="paths-name" size="sm" fw={500}>
          Paths
        </Text>
        <Text size="xs" c="dimmed">
          Parts of the site that are treated otherwise: the longest prefix decides. /api covers what is under it, not /apix.
        </Text>
      </div>
      {paths.map((path, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a path is where it stands; its prefix is what is typed
        <Paper key={at} withBorder p="sm" role="group" aria-label={`Path ${path.prefix || at + 1}`}>
          <Stack gap="xs">
            <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm" verticalSpacing="xs">
              <TextInput label="Prefix" required placeholder="/upload/" spellCheck={false} {...form.getInputProps(`paths.${at}.prefix`)} />
              <NamePicker
                of="policies"
                label="Policy"
                placeholder={AS_VHOST}
                clearable
                clearButtonProps={{ "aria-label": "As the vhost" }}
                {...form.getInputProps(`paths.${at}.policy`)}
                value={path.policy}
                onChange={(policy) => form.setFieldValue(`paths.${at}.policy`, policy)}
              />
              <Select
                label="A body too large to inspect whole"
                data={[{ value: "", label: AS_VHOST }, ...ON_PARTIAL]}
                allowDeselect={false}
                {...form.getInputProps(`paths.${at}.on_partial`)}
              />
              <NumberInput
                label="Largest body, in bytes"
                description={path.max_bytes === "" ? undefined : sizeWords(path.max_bytes)}
                inputWrapperOrder={["label", "input", "description", "error"]}
                placeholder={AS_VHOST}
                min={0}
                allowDecimal={false}
                thousandSeparator=" "
                clampBehavior="none"
                {...form.getInputProps(`paths.${at}.max_bytes`)}
              />
              <Select
                label="WebSocket"
                data={[
                  { value: "", label: AS_VHOST },
                  { value: "yes", label: "Allowed" },
                  { value: "no", label: "Not allowed" },
                ]}
                allowDeselect={false}
                {...form.getInputProps(`paths.${at}.websocket`)}
              />
            </SimpleGrid>
            <Group justify="flex-end">
              <Button variant="subtle" color="gray" size="xs" disabled={disabled} onClick={() => form.removeListItem("paths", at)}>
                Take this path out
              </Button>
            </Group>
          </Stack>
        </Paper>
      ))}
      <Button
        variant="default"
        size="xs"
        w="fit-content"
        disabled={disabled || paths.length >= 32}
        onClick={() => form.insertListItem("paths", NO_PATH)}
      >
        Add a path
      </Button>
    </Stack>
  );
}
