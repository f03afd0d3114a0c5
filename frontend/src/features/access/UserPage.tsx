import { createSetupLink, deleteUser, getUser, type Link, patchUser, type User } from "@guard-proxy/client";
import { Alert, Button, Group, Modal, Stack, Text, TextInput, Title } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { meQuery, useMe } from "@/auth/use-me";
import { ActionButton } from "@/components/ActionButton";
import { ConfirmModal } from "@/components/ConfirmModal";
import { Facts } from "@/components/Facts";
import { Loaded } from "@/components/Loaded";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { RelativeTime } from "@/components/RelativeTime";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import { asProblem, call } from "@/lib/api";
import { same } from "@/lib/conflict";
import { keys } from "@/lib/keys";
import { errorsAt, fromBindings, scopeFault, toBindings } from "./bindings";
import { Once, setupLink } from "./Once";
import { RolesEditor } from "./RolesEditor";
import { UserSessions } from "./UserSessions";
import { UserState } from "./UsersPage";

const route = getRouteApi("/_app/users/$user");

export function UserPage() {
  const id = route.useParams().user;
  const query = useQuery({
    queryKey: keys.one("users", id),
    queryFn: ({ signal }) => call(getUser({ path: { user: id }, signal })),
  });
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
          ["Authenticator", user.totp ? "yes: a code is asked for beside the password" : "no"],
          ["Since", <RelativeTime key="since" at={user.created_at} />],
          ["Changed", <RelativeTime key="changed" at={user.updated_at} />],
        ]}
      />
      <Actions user={user} />
      {/* Saved by somebody else meanwhile: what is being edited here stays as it is. */}
      <Edit key={user.id} user={user} />
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

function Edit({ user }: { user: User }) {
  const queries = useQueryClient();
  const { me, can } = useMe();
  const [title, setTitle] = useState(user.title);
  const [roles, setRoles] = useState(() => toBindings(user.roles));
  const [tried, setTried] = useState(false);
  const own = me?.user?.id === user.id;
  // As the form itself would write what is there: an answer may name empty limits.
  const dirty = title !== user.title || !same(fromBindings(roles), fromBindings(toBindings(user.roles)));

  const save = useMutation({
    mutationFn: () => call(patchUser({ path: { user: user.id }, body: { title: title.trim(), roles: fromBindings(roles) } })),
    onSuccess: (saved) => {
      queries.setQueryData(keys.one("users", user.id), saved);
      setTitle(saved.title);
      setRoles(toBindings(saved.roles));
      setTried(false);
      void queries.invalidateQueries({ queryKey: ["users", "list"] });
      if (own) void queries.invalidateQueries({ queryKey: meQuery.queryKey });
      notifications.show({ message: "Saved: it holds from their next request on" });
    },
  });
  const errors = save.error ? asProblem(save.error).errors : [];

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        setTried(true);
        if (!roles.some(({ scope }) => scopeFault(scope))) save.mutate();
      }}
    >
      <UnsavedGuard dirty={dirty && !save.isPending} />
      <Stack>
        <Title order={2} size="h4">
          What they may do
        </Title>
        {own && (
          <Alert color="yellow" variant="light">
            These are your own roles: whoever takes their own away cannot give them back.
          </Alert>
        )}
        <ProblemAlert error={save.error} withErrors={errors.some(({ pointer }) => pointer === "")} />
        <TextInput
          label="Name"
          value={title}
          onChange={(event) => setTitle(event.currentTarget.value)}
          error={errorsAt(errors, "/title")}
          autoComplete="off"
        />
        <RolesEditor value={roles} onChange={setRoles} errors={errors} tried={tried} />
        <Group>
          <ActionButton
            type="submit"
            loading={save.isPending}
            disabledReason={can("update", "user").disabledReason ?? (dirty ? undefined : "Nothing was changed.")}
          >
            Save
          </ActionButton>
        </Group>
      </Stack>
    </form>
  );
}
