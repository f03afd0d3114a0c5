import { getMe, type Me } from "@guard-proxy/client";
import { Button, Modal, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { onlineManager, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { ProblemAlert } from "@/components/ProblemAlert";
import { call } from "@/lib/api";
import { unsaved } from "@/lib/unsaved";
import { SignInForm } from "./SignInForm";
import { SingleSignOn } from "./SingleSignOn";
import { meQuery } from "./use-me";
import { useSession } from "./use-session";

/** Above a page with unsaved work whose session ended: whoever signs in again goes on with it, anybody else does not get to see it. */
export default function SessionOver({ close }: { close: () => void }) {
  const queries = useQueryClient();
  const router = useRouter();
  const signedIn = useSession().status === "in";
  const [was] = useState(() => queries.getQueryData<Me>(meQuery.queryKey));
  // Here or in another tab, which says no name.
  const now = useQuery({
    queryKey: ["signed-in-again"],
    queryFn: ({ signal }) => call(getMe({ signal })),
    enabled: signedIn,
    networkMode: "always",
    gcTime: 0,
  });

  // Without a session there is nothing to be asked, and each try would be a row of the audit log.
  useEffect(() => {
    onlineManager.setOnline(false);
    return () => onlineManager.setOnline(true);
  }, []);

  const who = signedIn ? now.data?.label : undefined;
  useEffect(() => {
    if (!who) return;
    if (who === was?.label) {
      void queries.invalidateQueries();
    } else {
      unsaved.drop();
      void queries.resetQueries();
      void router.navigate({ to: "/" });
      notifications.show({ message: `You are ${who} now: what was not saved is dropped` });
    }
    close();
  }, [who, was, queries, router, close]);

  const leave = () => {
    unsaved.drop();
    queries.clear();
    void router.invalidate();
  };
  return (
    <Modal
      opened
      onClose={() => {}}
      title="You are signed out"
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      // Also above what stands above the page.
      zIndex={400}
      overlayProps={{ blur: 12 }}
    >
      <Stack>
        <Text size="sm">What you typed on this page is not saved. Sign in again, and go on with it.</Text>
        {now.error && <ProblemAlert error={now.error} onRetry={() => void now.refetch()} />}
        <SignInForm email={was?.user?.email} />
        <SingleSignOn elsewhere />
        <Button variant="subtle" color="red" onClick={leave}>
          Leave, and drop it
        </Button>
      </Stack>
    </Modal>
  );
}
