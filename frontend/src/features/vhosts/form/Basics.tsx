import { ActionIcon, Button, Fieldset, Group, Stack, Switch, TagsInput, Text, TextInput } from "@mantine/core";
import type { UseFormReturnType } from "@mantine/form";
import { IconTrash } from "@tabler/icons-react";
import { NameFields } from "@/components/NameFields";
import { PROTECTED } from "../words";
import type { VhostValues } from "./values";

export type FieldsProps = { form: UseFormReturnType<VhostValues>; disabled: boolean };

export function Basics({ form, disabled, named }: FieldsProps & { named: boolean }) {
  return (
    <Fieldset legend="Vhost" disabled={disabled}>
      <Stack gap="sm">
        <NameFields form={form} named={named} />
        <TagsInput
          label="Hostnames"
          description="As clients ask for them, or *.example.com for one label in front. Several at once: separated by commas or spaces."
          required
          maxTags={100}
          splitChars={[",", " "]}
          acceptValueOnBlur
          spellCheck={false}
          {...form.getInputProps("hostnames")}
        />
        <Labels form={form} disabled={disabled} />
        <Switch
          label="Enabled"
          description="Switched off it answers 421 and keeps its hostnames: nobody else can take them."
          {...form.getInputProps("enabled", { type: "checkbox" })}
        />
        <Switch label="Protected" description={PROTECTED} {...form.getInputProps("protected", { type: "checkbox" })} />
      </Stack>
    </Fieldset>
  );
}

function Labels({ form, disabled }: FieldsProps) {
  const { labels } = form.values;
  return (
    <Stack gap={6} role="group" aria-labelledby="labels-name">
      <div>
        <Text id="labels-name" size="sm" fw={500}>
          Labels
        </Text>
        <Text size="xs" c="dimmed">
          To find it by, and to say who may change it. At most 32.
        </Text>
      </div>
      {labels.map((_, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a label is where it stands; its key is what is typed
        <Group key={at} gap="xs" align="flex-start" wrap="nowrap">
          <TextInput aria-label={`Key of label ${at + 1}`} placeholder="team" {...form.getInputProps(`labels.${at}.key`)} />
          <TextInput aria-label={`Value of label ${at + 1}`} placeholder="web" {...form.getInputProps(`labels.${at}.value`)} />
          <ActionIcon
            variant="subtle"
            color="gray"
            size="lg"
            aria-label={`Take label ${at + 1} out`}
            onClick={() => form.removeListItem("labels", at)}
          >
            <IconTrash size={16} aria-hidden />
          </ActionIcon>
        </Group>
      ))}
      <Button
        variant="default"
        size="xs"
        w="fit-content"
        disabled={disabled || labels.length >= 32}
        onClick={() => form.insertListItem("labels", { key: "", value: "" })}
      >
        Add a label
      </Button>
    </Stack>
  );
}
