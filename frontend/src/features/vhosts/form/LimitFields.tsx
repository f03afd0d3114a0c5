import { Fieldset, NumberInput, Select, SimpleGrid, Stack, Switch } from "@mantine/core";
import { ON_PARTIAL, PERIODS, sizeWords } from "../words";
import type { FieldsProps } from "./Basics";

export function LimitFields({ form, disabled }: FieldsProps) {
  const { body, rate_limit } = form.values;
  return (
    <Fieldset legend="Limits" disabled={disabled}>
      <Stack gap="sm">
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm">
          <NumberInput
            label="Largest body, in bytes"
            description={`${body.max_bytes === "" ? "" : `${sizeWords(body.max_bytes)}; `}what is announced larger gets 413.`}
            inputWrapperOrder={["label", "input", "description", "error"]}
            required
            min={0}
            allowDecimal={false}
            thousandSeparator=" "
            clampBehavior="none"
            {...form.getInputProps("body.max_bytes")}
          />
          <Select
            label="A body too large to inspect whole"
            description="Where the policy blocks. What passes uninspected may be an attack."
            inputWrapperOrder={["label", "input", "description", "error"]}
            data={ON_PARTIAL}
            allowDeselect={false}
            {...form.getInputProps("body.on_partial")}
          />
        </SimpleGrid>
        <Switch
          label="Rate limit"
          description="Requests of one client; of IPv6 of one /64. More get 429."
          checked={rate_limit !== null}
          onChange={(event) => form.setFieldValue("rate_limit", event.currentTarget.checked ? { requests: 100, period: "10s" } : null)}
        />
        {rate_limit && (
          <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
            <NumberInput
              label="Requests"
              min={1}
              allowDecimal={false}
              thousandSeparator=" "
              clampBehavior="none"
              {...form.getInputProps("rate_limit.requests")}
            />
            <Select label="In" data={PERIODS} allowDeselect={false} {...form.getInputProps("rate_limit.period")} />
          </SimpleGrid>
        )}
      </Stack>
    </Fieldset>
  );
}
