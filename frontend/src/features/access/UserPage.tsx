import { createSetupLink, deleteUser, type Link, patchUser, type User } from "@guard-proxy/client";
import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { ActionButton } from "@/components/ActionButton";
import { ConfirmModal } from "@/components/ConfirmModal";
import { Facts } from "@/components/Facts";
import { Loaded } from "@/components/Loaded";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { RelativeTime } from "@/components/RelativeTime";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { EditUser } from "./EditUser";
import { Once, setupLink } from "./Once";
import { SsoLink } from "./SsoLink";
import { UserSessions } from "./UserSessions";
import { UserState } from "./UsersPage";
import { isLocal, SOURCES, sourceOf, userQuery } from "./user";

const route = getRouteApi("/_app/users/$user");

export function UserPage() {
  const id = route.useParams().user;
  const query = useQuery(userQuery(id));
  return (
    <>
      <PageHeader title={query.data?.email ?? "User"} parents={[{ label: "Users", to: "/users" }]} />
      <Loaded query={query}>{(user) => <One user={user} />}</Loaded>
    </>
  );
}

function One({ user }: { user: User }) {
  return (
    <Stack maw={720}>
      <Facts
        facts={[
          ["State", <UserState key="state" user={user} />],
          ["Comes by", SOURCES[sourceOf(user)]],
          ["Authenticator", isLocal(user) && (user.totp ? "yes: a code is asked for beside the password" : "no")],
          ["Since", <RelativeTime key="since" at={user.created_at} />],
          ["Changed", <RelativeTime key="changed" at={user.updated_at} />],
        ]}
      />
      <Actions user={user} />
      <EditUser key={user.id} user={user} />
      <UserSessions user={user} />
    </Stack>
  );
}

function Actions({ user }: { user: User }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const { me, can } = useMe();
  const [asking, setAsking] = useState<"disable" | "delete" | "link" | "lost">();
  const [link, setLink] = useState<Link>();
  const [error, setError] = useState<unknown>();
  const close = () => setAsking(undefined);
  const path = { user: user.id };
  const own = me?.user?.id === user.id ? "It is your own account." : undefined;
  const may = can("update", "user").disabledReason;

  const run = async (work: () => Promise<unknown>) => {
    setError(undefined);
    try {
      await work();
      await queries.invalidateQueries({ queryKey: keys.all("users") });
      // Who is kept out is signed in nowhere.
      void queries.invalidateQueries({ queryKey: keys.all("sessions") });
    } catch (refused) {
      setError(refused);
    }
    close();
  };
  const disable = (disabled: boolean) => run(() => call(patchUser({ path, body: { disabled } })));
  const makeLink = (reset_totp: boolean) => run(async () => setLink(await call(createSetupLink({ path, body: { reset_totp } }))));
  const remove = () =>
    run(async () => {
      await call(deleteUser({ path }));
      await navigate({ to: "/users", search: { q: undefined } });
    });
  return (
    <>
      <Group gap="xs">
        {user.disabled ? (
          <ActionButton variant="default" onClick={() => void disable(false)} disabledReason={may}>
            Enable
          </ActionButton>
        ) : (
          <ActionButton variant="default" onClick={() => setAsking("disable")} disabledReason={may ?? own}>
            Disable
          </ActionButton>
        )}
        {isLocal(user) && (
          <>
            <ActionButton variant="default" onClick={() => setAsking("link")} disabledReason={may}>
              New setup link
            </ActionButton>
            <ActionButton
              variant="default"
              onClick={() => setAsking("lost")}
              disabledReason={may ?? (user.totp ? undefined : "They have no authenticator.")}
            >
              Authenticator lost
            </ActionButton>
          </>
        )}
        <SsoLink user={user} />
        <ActionButton
          variant="subtle"
          color="red"
          onClick={() => setAsking("delete")}
          disabledReason={can("delete", "user").disabledReason ?? own}
        >
          Delete
        </ActionButton>
      </Group>
      {Boolean(error) && <ProblemAlert error={error} />}
      <ConfirmModal
        opened={asking === "disable"}
        onClose={close}
        onConfirm={() => disable(true)}
        title={`Disable ${user.email}?`}
        confirm="Disable"
        dangerous
      >
        They are signed out everywhere, at once, and cannot sign in. Roles stay for when the account is enabled again.
      </ConfirmModal>
      <ConfirmModal
        opened={asking === "link"}
        onClose={close}
        onConfirm={() => makeLink(false)}
        title="Make a setup link?"
        confirm="Make a link"
      >
        By it they choose a new password: once, within an hour. Their sessions end when they do. A link of before is good no more.
      </ConfirmModal>
      <ConfirmModal
        opened={asking === "lost"}
        onClose={close}
        onConfirm={() => makeLink(true)}
        title="Take the authenticator off?"
        confirm="Make such a link"
        dangerous
      >
        Makes a setup link. When it is used, the authenticator is off, too: be sure that it is really them who asked.
      </ConfirmModal>
      <ConfirmModal
        opened={asking === "delete"}
        onClose={close}
        onConfirm={remove}
        title={`Delete ${user.email}?`}
        confirm="Delete"
        dangerous
        typed={user.email}
      >
        The account and its sessions go. What they did stays in the history and the audit log.
      </ConfirmModal>
      {link && <LinkModal link={link} email={user.email} onClose={() => setLink(undefined)} />}
    </>
  );
}

function LinkModal({ link, email, onClose }: { link: Link; email: string; onClose: () => void }) {
  const [kept, setKept] = useState(false);
  return (
    <Modal
      opened
      onClose={() => kept && onClose()}
      title={`Setup link for ${email}`}
      size="lg"
      closeOnClickOutside={false}
      withCloseButton={kept}
    >
      <Stack>
        <Once title="The link to choose a password" label="the link" value={setupLink(link.token, email)} kept={kept} onKept={setKept}>
          <Text size="sm">
            It is good once, and ends <RelativeTime at={link.expires_at} />.
          </Text>
        </Once>
        <Group justify="flex-end">
          <Button onClick={onClose} disabled={!kept}>
            Done
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
