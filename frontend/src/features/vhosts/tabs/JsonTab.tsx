import type { VhostRepresentation } from "@guard-proxy/client";
import { Code, Group, Stack, Text } from "@mantine/core";
import { CopyButton } from "@/components/CopyButton";

/** As the API answers it. */
export function JsonTab({ vhost }: { vhost: VhostRepresentation }) {
  const text = JSON.stringify(vhost, null, 2);
  return (
    <Stack gap="xs">
      <Group gap="xs">
        <Text size="sm">
          <Code>GET /api/v1/vhosts/{vhost.name}</Code>. It can be edited and written back as it is.
        </Text>
        <CopyButton value={text} label="Copy the JSON" />
      </Group>
      <Code block tabIndex={0} role="region" aria-label="JSON" style={{ maxHeight: "60dvh" }}>
        {text}
      </Code>
    </Stack>
  );
}
