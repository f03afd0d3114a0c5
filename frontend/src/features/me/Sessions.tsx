import { endSession, listSessions } from "@guard-proxy/client";
import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { session } from "@/auth/session";
import { ConfirmModal } from "@/components/ConfirmModal";
import { Loaded } from "@/components/Loaded";
import { ProblemAlert } from "@/components/ProblemAlert";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { unsaved } from "@/lib/unsaved";
import { Hint } from "./MePage";
import { SessionList } from "./SessionList";

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
    // It was asked whether to: nobody asks for what is typed on this page.
    const keep = unsaved.drop();
    try {
      await session.signOut(true);
    } catch (refused) {
      keep();
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
          <SessionList
            sessions={items}
            onEnd={(id) => void end(id)}
            denied={({ current }) => (current ? "It is this one: sign out instead." : undefined)}
          />
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
