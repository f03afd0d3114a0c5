import { Button, Checkbox, Fieldset, Group, NumberInput, Paper, Select, SimpleGrid, Stack, Switch, Text, TextInput } from "@mantine/core";
import { BALANCES } from "../words";
import type { FieldsProps } from "./Basics";
import { CHECK, NO_SERVER } from "./values";

export function UpstreamFields({ form, disabled }: FieldsProps) {
  const { servers, health_check } = form.values.upstream;
  return (
    <Fieldset legend="Upstream" disabled={disabled}>
      <Stack gap="md">
        <Stack gap={6} role="group" aria-labelledby="servers-name">
          <div>
            <Text id="servers-name" size="sm" fw={500}>
              Servers
            </Text>
            <Text size="xs" c="dimmed">
              Where requests go, 1 to 64.
            </Text>
          </div>
          {servers.map((server, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a server is where it stands; its name is what is typed
            <Paper key={at} withBorder p="sm" role="group" aria-label={`Server ${server.name || at + 1}`}>
              <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }} spacing="sm" verticalSpacing="xs">
                <TextInput
                  label="Address"
                  required
                  placeholder="192.0.2.10"
                  spellCheck={false}
                  {...form.getInputProps(`upstream.servers.${at}.address`)}
                />
                <NumberInput
                  label="Port"
                  required
                  min={1}
                  max={65535}
                  allowDecimal={false}
                  clampBehavior="none"
                  hideControls
                  {...form.getInputProps(`upstream.servers.${at}.port`)}
                />
                <TextInput label="Name" placeholder="made for you" {...form.getInputProps(`upstream.servers.${at}.name`)} />
                <NumberInput
                  label="Weight"
                  min={0}
                  max={256}
                  allowDecimal={false}
                  clampBehavior="none"
                  {...form.getInputProps(`upstream.servers.${at}.weight`)}
                />
              </SimpleGrid>
              <Group justify="space-between" mt="xs">
                <Checkbox
                  label="Backup: used when no other is up"
                  {...form.getInputProps(`upstream.servers.${at}.backup`, { type: "checkbox" })}
                />
                <Button
                  variant="subtle"
                  color="gray"
                  size="xs"
                  disabled={disabled || servers.length === 1}
                  onClick={() => form.removeListItem("upstream.servers", at)}
                >
                  Take this server out
                </Button>
              </Group>
            </Paper>
          ))}
          {form.errors["upstream.servers"] && (
            <Text size="sm" c="var(--mantine-color-error)" role="alert">
              {form.errors["upstream.servers"]}
            </Text>
          )}
          <Button
            variant="default"
            size="xs"
            w="fit-content"
            disabled={disabled || servers.length >= 64}
            onClick={() => form.insertListItem("upstream.servers", NO_SERVER)}
          >
            Add a server
          </Button>
        </Stack>
        <Select
          label="Which server gets a request"
          data={BALANCES}
          allowDeselect={false}
          maw={420}
          {...form.getInputProps("upstream.balance")}
        />
        <Switch
          label="Health check"
          description="Each server is asked for a page; one that does not answer well gets no requests."
          checked={health_check !== null}
          onChange={(event) => form.setFieldValue("upstream.health_check", event.currentTarget.checked ? CHECK : null)}
        />
        {health_check && (
          <SimpleGrid cols={{ base: 1, xs: 2, md: 5 }} spacing="sm">
            <TextInput label="Page" spellCheck={false} {...form.getInputProps("upstream.health_check.path")} />
            <TextInput label="Healthy statuses" spellCheck={false} {...form.getInputProps("upstream.health_check.expect_status")} />
            <Whole label="Every, in ms" {...form.getInputProps("upstream.health_check.interval_ms")} />
            <Whole label="Bad ones until down" {...form.getInputProps("upstream.health_check.fall")} />
            <Whole label="Good ones until up" {...form.getInputProps("upstream.health_check.rise")} />
          </SimpleGrid>
        )}
        <Stack gap={6} role="group" aria-labelledby="timeouts-name">
          <Text id="timeouts-name" size="sm" fw={500}>
            Timeouts, in milliseconds
          </Text>
          <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
            <Whole label="To connect" {...form.getInputProps("upstream.timeouts.connect_ms")} />
            <Whole label="For a free connection" {...form.getInputProps("upstream.timeouts.queue_ms")} />
            <Whole label="Between pieces of an answer" {...form.getInputProps("upstream.timeouts.response_ms")} />
          </SimpleGrid>
        </Stack>
      </Stack>
    </Fieldset>
  );
}

/** Whole numbers; what is too much or too little the server says, at the field. */
function Whole(props: React.ComponentProps<typeof NumberInput>) {
  return <NumberInput {...props} min={1} allowDecimal={false} clampBehavior="none" thousandSeparator=" " />;
}
