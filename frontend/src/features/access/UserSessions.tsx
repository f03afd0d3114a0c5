import { endUserSession, endUserSessions, isProblem, listUserSessions, type User } from "@guard-proxy/client";
import { Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { ActionButton } from "@/components/ActionButton";
import { ConfirmModal } from "@/components/ConfirmModal";
import { Loaded } from "@/components/Loaded";
import { ProblemAlert } from "@/components/ProblemAlert";
import { SessionList } from "@/features/me/SessionList";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";

/** Where somebody is signed in: what is not theirs is ended. */
export function UserSessions({ user: { id, email } }: { user: User }) {
  const queries = useQueryClient();
  const { can } = useMe();
  const path = { user: id };
  const query = useQuery({ queryKey: keys.one("sessions", id), queryFn: ({ signal }) => call(listUserSessions({ path, signal })) });
  const [asking, setAsking] = useState(false);
  const end = useMutation({
    mutationFn: async (session: string | undefined) => {
      try {
        await (session === undefined ? call(endUserSessions({ path })) : call(endUserSession({ path: { user: id, session } })));
      } catch (refused) {
        // Over already, which is what was wanted.
        if (!isProblem(refused, "not_found")) throw refused;
      }
    },
    onSettled: () => {
      setAsking(false);
      void queries.invalidateQueries({ queryKey: keys.all("sessions") });
    },
  });
  const may = can("delete", "session").disabledReason;
  return (
    <section aria-labelledby="sessions">
      <Title order={2} size="h4" id="sessions" mb="xs">
        Where they are signed in
      </Title>
      <ProblemAlert error={end.error} />
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <Text size="sm">Nowhere.</Text>
          ) : (
            <>
              <SessionList
                sessions={items}
                onEnd={(session) => end.mutate(session)}
                ending={end.isPending ? end.variables : undefined}
                denied={({ current }) => may ?? (current ? "It is yours: sign out instead." : undefined)}
              />
              <ActionButton variant="default" mt="xs" onClick={() => setAsking(true)} disabledReason={may}>
                Sign out everywhere
              </ActionButton>
            </>
          )
        }
      </Loaded>
      <ConfirmModal
        opened={asking}
        onClose={() => setAsking(false)}
        onConfirm={() =>
          end.mutateAsync(undefined).then(
            () => undefined,
            () => undefined,
          )
        }
        title={`Sign ${email} out everywhere?`}
        confirm="Sign out everywhere"
        dangerous
      >
        All of their sessions end, at once. They may sign in again: to keep them out, disable the account.
      </ConfirmModal>
    </section>
  );
}
