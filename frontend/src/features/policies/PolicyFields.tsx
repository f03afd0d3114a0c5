import type { Mode } from "@guard-proxy/client";
import { Fieldset, NumberInput, SimpleGrid, Stack, TagsInput, Text } from "@mantine/core";
import type { UseFormReturnType } from "@mantine/form";
import { NameFields } from "@/components/NameFields";
import { ModeField } from "./ModeField";
import { ParanoiaField } from "./ParanoiaField";
import { CONTENT_TYPES, METHODS, type PolicyValues } from "./policy";
import { SEVERITIES, thresholdWords } from "./words";

type Props = { form: UseFormReturnType<PolicyValues>; named: boolean; disabled: boolean };

/** What a policy says by itself; `named`: it has its name, which never changes. */
export function PolicyFields({ form, named, disabled }: Props) {
  const { values, errors } = form;
  return (
    <Stack gap="lg">
      <Fieldset legend="Policy" disabled={disabled}>
        <Stack gap="sm">
          <NameFields form={form} named={named} />
        </Stack>
      </Fieldset>
      <Fieldset legend="Treatment" disabled={disabled}>
        <Stack gap="lg">
          <ModeField
            value={values.mode}
            onChange={(mode) => form.setFieldValue("mode", mode as Mode)}
            error={errors.mode}
            disabled={disabled}
          />
          <ParanoiaField
            value={values.paranoia}
            onChange={(paranoia) => {
              form.clearFieldError("paranoia.blocking");
              form.clearFieldError("paranoia.detection");
              form.setFieldValue("paranoia", paranoia);
            }}
            mode={values.mode}
            errors={{ blocking: errors["paranoia.blocking"] ?? errors.paranoia, detection: errors["paranoia.detection"] }}
            disabled={disabled}
          />
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            <NumberInput
              label="Inbound threshold"
              description={thresholdWords(Number(values.thresholds.inbound) || 0)}
              inputWrapperOrder={["label", "input", "description", "error"]}
              min={1}
              max={99999}
              allowDecimal={false}
              clampBehavior="none"
              {...form.getInputProps("thresholds.inbound")}
            />
            <NumberInput
              label="Outbound threshold"
              description="For answers of your servers. They are not inspected yet, so nothing comes of it today."
              inputWrapperOrder={["label", "input", "description", "error"]}
              min={1}
              max={99999}
              allowDecimal={false}
              clampBehavior="none"
              {...form.getInputProps("thresholds.outbound")}
            />
          </SimpleGrid>
          <Text size="sm" c="dimmed">
            Every rule that matches adds to the request's score by its severity: {SEVERITIES}. A score that reaches the threshold is an
            attack.
          </Text>
        </Stack>
      </Fieldset>
      <Fieldset legend="What is allowed" disabled={disabled}>
        <Stack gap="sm">
          <TagsInput
            label="Methods"
            description="Requests with another method count as an attack. CONNECT, TRACE and TRACK are never forwarded."
            data={METHODS}
            maxTags={32}
            splitChars={[",", " "]}
            acceptValueOnBlur
            clearable={!disabled}
            clearButtonProps={{ "aria-label": "Clear methods" }}
            {...form.getInputProps("allowed_methods")}
            onChange={(methods) => form.setFieldValue("allowed_methods", [...new Set(methods.map((one) => one.toUpperCase()))])}
          />
          <TagsInput
            label="Content types of bodies"
            description="Without parameters, as application/json. Bodies of another type count as an attack."
            data={CONTENT_TYPES}
            maxTags={64}
            splitChars={[",", " "]}
            acceptValueOnBlur
            clearable={!disabled}
            clearButtonProps={{ "aria-label": "Clear content types" }}
            {...form.getInputProps("allowed_content_types")}
            onChange={(types) => form.setFieldValue("allowed_content_types", [...new Set(types.map((one) => one.toLowerCase()))])}
          />
        </Stack>
      </Fieldset>
    </Stack>
  );
}
