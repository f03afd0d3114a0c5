import type { Session } from "@guard-proxy/client";
import { Badge, Group, Paper, Stack, Text } from "@mantine/core";
import { ActionButton } from "@/components/ActionButton";
import { RelativeTime } from "@/components/RelativeTime";
import { browserWords } from "./browser";

type Props = {
  sessions: Session[];
  onEnd: (id: string) => void;
  /** Which one is being ended. */
  ending?: string | undefined;
  /** Why this one cannot be ended here. */
  denied: (session: Session) => string | undefined;
};

/** Where somebody is signed in. */
export function SessionList({ sessions, onEnd, ending, denied }: Props) {
  return (
    <Stack gap="xs" component="ul" p={0} m={0} style={{ listStyle: "none" }}>
      {sessions.map((one) => (
        <One key={one.id} one={one} onEnd={() => onEnd(one.id)} busy={one.id === ending} denied={denied(one)} />
      ))}
    </Stack>
  );
}

type OneProps = { one: Session; onEnd: () => void; busy: boolean; denied: string | undefined };

function One({ one, onEnd, busy, denied }: OneProps) {
  return (
    <Paper withBorder p="xs" component="li">
      <Group justify="space-between" gap="xs">
        <div>
          <Group gap="xs">
            <Text size="sm" fw={500} title={one.user_agent}>
              {browserWords(one.user_agent)}
            </Text>
            {one.current && (
              <Badge variant="light" tt="none">
                this one
              </Badge>
            )}
          </Group>
          <Text size="xs" c="dimmed">
            {one.address && `from ${one.address}, `}used <RelativeTime at={one.used_at} />, begun <RelativeTime at={one.created_at} />, ends{" "}
            <RelativeTime at={one.expires_at} />
          </Text>
        </div>
        <ActionButton
          size="xs"
          variant="default"
          onClick={onEnd}
          loading={busy}
          disabledReason={denied}
          aria-label={`End the session of ${browserWords(one.user_agent)}, used ${one.used_at}`}
        >
          End
        </ActionButton>
      </Group>
    </Paper>
  );
}
