import { Badge, Group, Loader, Text, UnstyledButton } from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck, IconPlugConnectedX } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { headline } from "@/live/headline";
import { useConnected, useStatus } from "@/live/use-live";

const COLORS = { good: "green", busy: "blue", bad: "red" } as const;

/** In the header of every page: what is live, and whether more is on its way. */
export function LiveState() {
  const { data, isError } = useStatus();
  const connected = useConnected();
  if (!data) return <Text size="sm">{isError ? "What is live is not known" : ""}</Text>;
  const { tone, words } = headline(data);
  return (
    <Group gap="xs" wrap="nowrap" role="status" aria-live="polite">
      <UnstyledButton component={Link} to="/">
        <Badge
          size="lg"
          variant={tone === "good" ? "light" : "filled"}
          color={COLORS[tone]}
          tt="none"
          leftSection={
            tone === "busy" ? (
              <Loader size={12} color="white" />
            ) : tone === "bad" ? (
              <IconAlertTriangle size={14} aria-hidden />
            ) : (
              <IconCircleCheck size={14} aria-hidden />
            )
          }
        >
          {words}
        </Badge>
      </UnstyledButton>
      {data.head !== data.live && (
        <Text size="sm" visibleFrom="md">
          head {data.head}, live {data.live}
        </Text>
      )}
      {!connected && (
        <IconPlugConnectedX size={18} role="img" aria-label="Not connected to events: what is live is asked for every ten seconds" />
      )}
    </Group>
  );
}
