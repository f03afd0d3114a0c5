import { endSession, listSessions, type Session } from "@guard-proxy/client";
import { Badge, Button, Group, Paper, Stack, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { session } from "@/auth/session";
import { ActionButton } from "@/components/ActionButton";
import { ConfirmModal } from "@/components/ConfirmModal";
import { Loaded } from "@/components/Loaded";
import { ProblemAlert } from "@/components/ProblemAlert";
import { RelativeTime } from "@/components/RelativeTime";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { browserWords } from "./browser";
import { Hint } from "./MePage";

export function Sessions() {
  const queries = useQueryClient();
  const query = useQuery({ queryKey: keys.list("sessions"), queryFn: ({ signal }) => call(listSessions({ signal })) });
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState<unknown>();

  const end = async (id: string) => {
    setError(undefined);
    try {
      await call(endSession({ path: { session: id } }));
    } catch (refused) {
      setError(refused);
    }
    void queries.invalidateQueries({ queryKey: keys.all("sessions") });
  };
  const everywhere = async () => {
    try {
      await session.signOut(true);
    } catch (refused) {
      setError(refused);
      setAsking(false);
    }
  };
  return (
    <>
      <Hint>Where you are signed in. What you do not know, end, and change your password.</Hint>
      {Boolean(error) && <ProblemAlert error={error} />}
      <Loaded query={query}>
        {({ items }) => (
          <Stack gap="xs" component="ul" p={0} m={0} style={{ listStyle: "none" }}>
            {items.map((one) => (
              <One key={one.id} one={one} onEnd={() => void end(one.id)} />
            ))}
          </Stack>
        )}
      </Loaded>
      <Button variant="default" color="red" onClick={() => setAsking(true)} style={{ alignSelf: "flex-start" }}>
        Sign out everywhere
      </Button>
      <ConfirmModal
        opened={asking}
        onClose={() => setAsking(false)}
        onConfirm={everywhere}
        title="Sign out everywhere?"
        confirm="Sign out everywhere"
        dangerous
      >
        All of your sessions end, this one included.
      </ConfirmModal>
    </>
  );
}

function One({ one, onEnd }: { one: Session; onEnd: () => void }) {
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
          disabledReason={one.current ? "It is this one: sign out instead." : undefined}
          aria-label={`End the session of ${browserWords(one.user_agent)}, used ${one.used_at}`}
        >
          End
        </ActionButton>
      </Group>
    </Paper>
  );
}
