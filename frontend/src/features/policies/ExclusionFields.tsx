import { Alert, Autocomplete, Fieldset, Group, NumberInput, Radio, Stack, Switch, Text, TextInput } from "@mantine/core";
import type { UseFormReturnType } from "@mantine/form";
import { IconAlertTriangle } from "@tabler/icons-react";
import { type ExclusionValues, effectWords, exclusionOf, TAGS, TARGETS } from "./exclusion";

type Props = { form: UseFormReturnType<ExclusionValues>; suggested: string; named: boolean; disabled: boolean };

export function ExclusionFields({ form, suggested, named, disabled }: Props) {
  const { values } = form;
  return (
    <Stack gap="lg">
      <Fieldset legend="Which rules" disabled={disabled}>
        <Stack gap="sm">
          <Radio.Group label="Named by" {...form.getInputProps("by")}>
            <Group mt={4}>
              <Radio value="id" label="Id" />
              <Radio value="range" label="Range of ids" />
              <Radio value="tag" label="Tag" />
            </Group>
          </Radio.Group>
          {values.by === "id" && (
            <NumberInput
              label="Rule"
              description="As an event names it: 942100. Rules of the Core Rule Set that detect, or custom rules."
              maw={320}
              {...numbers}
              {...form.getInputProps("rule")}
            />
          )}
          {values.by === "range" && (
            <Group align="flex-start">
              <NumberInput label="From" maw={160} {...numbers} {...form.getInputProps("from")} />
              <NumberInput
                label="To"
                description="Included."
                inputWrapperOrder={ORDER}
                maw={160}
                {...numbers}
                {...form.getInputProps("to")}
              />
            </Group>
          )}
          {values.by === "tag" && (
            <Autocomplete
              label="Tag"
              description="All rules that have it: it must match exactly."
              data={TAGS}
              maw={420}
              {...form.getInputProps("tag")}
            />
          )}
        </Stack>
      </Fieldset>
      <Fieldset legend="How much of them" disabled={disabled}>
        <Stack gap="sm">
          <Autocomplete
            label="Target"
            description="Only this is no longer looked at: ARGS:comment is the parameter comment. Empty: the rules are out altogether."
            data={TARGETS}
            maw={420}
            maxLength={160}
            spellCheck={false}
            {...form.getInputProps("target")}
          />
          <TextInput
            label="Path"
            description="Only for this path and what is under it: /blog/. Empty: everywhere."
            maw={420}
            maxLength={512}
            spellCheck={false}
            {...form.getInputProps("prefix")}
          />
          <Effect values={values} />
        </Stack>
      </Fieldset>
      <Fieldset legend="Why, who and until when" disabled={disabled}>
        <Stack gap="sm">
          {!named && (
            <TextInput
              label="Id"
              description={`Its name in this policy. Left empty it is ${suggested}.`}
              maxLength={63}
              maw={420}
              spellCheck={false}
              autoComplete="off"
              {...form.getInputProps("id")}
            />
          )}
          <TextInput label="Reason" description="Why this is no attack." maxLength={200} {...form.getInputProps("reason")} />
          <TextInput
            label="Owner"
            description="Who answers for it, and is asked whether it is still needed."
            maxLength={200}
            maw={420}
            {...form.getInputProps("owner")}
          />
          <TextInput
            type="datetime-local"
            label="Expires"
            description="From then on it is not in force. Your time zone. Empty: never."
            maw={320}
            {...form.getInputProps("expires")}
          />
          <Switch label="Enabled" {...form.getInputProps("enabled", { type: "checkbox" })} />
        </Stack>
      </Fieldset>
    </Stack>
  );
}

const ORDER: ("label" | "input" | "description" | "error")[] = ["label", "input", "description", "error"];
const numbers = { min: 190000, max: 958999, allowDecimal: false, clampBehavior: "none" as const, hideControls: true };

function Effect({ values }: { values: ExclusionValues }) {
  const { by, rule, from, to, tag } = values;
  const named = by === "id" ? rule !== "" : by === "range" ? from !== "" && to !== "" : tag.trim() !== "";
  if (!named) return null;
  const exclusion = exclusionOf(values);
  const wide = !exclusion.target && !exclusion.path;
  return (
    <Alert color={wide ? "yellow" : "blue"} variant="light" icon={wide ? <IconAlertTriangle aria-hidden /> : undefined} aria-live="polite">
      <Text size="sm">{effectWords(exclusion)}</Text>
      {wide && <Text size="sm">That is wide: attacks that only {by === "id" ? "this rule finds" : "these rules find"} pass.</Text>}
    </Alert>
  );
}
