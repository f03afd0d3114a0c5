import { Fieldset, Select, Stack, TagsInput, Text } from "@mantine/core";
import { NamesPicker } from "../NamePicker";
import type { FieldsProps } from "./Basics";

const HEADERS = ["x-forwarded-for", "x-real-ip", "cf-connecting-ip", "true-client-ip", "fastly-client-ip"];

export function AccessFields({ form, disabled }: FieldsProps) {
  return (
    <Fieldset legend="Access" disabled={disabled}>
      <Stack gap="sm">
        <Text size="sm">The first that applies decides, in this order.</Text>
        <NamesPicker
          of="ip-lists"
          label="Denied"
          description="Clients on these lists get 403."
          maxValues={16}
          {...form.getInputProps("access.deny")}
        />
        <NamesPicker
          of="ip-lists"
          label="Allowed only"
          description="With one at least: clients on none of them get 403."
          maxValues={16}
          {...form.getInputProps("access.allow_only")}
        />
        <NamesPicker
          of="ip-lists"
          label="Trusted"
          description="Clients on these skip the WAF. Limits still hold."
          maxValues={16}
          {...form.getInputProps("access.trust")}
        />
        <TagsInput
          label="Trusted proxies"
          description="Networks in front of us that tell the client's address; nobody else is believed. None: it is the connection's."
          maxTags={256}
          splitChars={[",", " "]}
          acceptValueOnBlur
          spellCheck={false}
          {...form.getInputProps("client_ip.trusted_proxies")}
        />
        <Select
          label="The header that they tell it in"
          data={HEADERS}
          allowDeselect={false}
          maw={420}
          {...form.getInputProps("client_ip.header")}
        />
      </Stack>
    </Fieldset>
  );
}
