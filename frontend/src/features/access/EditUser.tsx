import { patchUser, type RoleBinding, type User } from "@guard-proxy/client";
import { Alert, Fieldset, Group, Stack, TextInput, Title } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { meQuery, useMe } from "@/auth/use-me";
import { ActionButton } from "@/components/ActionButton";
import { ConflictModal } from "@/components/ConflictModal";
import { ProblemAlert } from "@/components/ProblemAlert";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import { asProblem, call } from "@/lib/api";
import { same } from "@/lib/conflict";
import { keys } from "@/lib/keys";
import { errorsAt, fromBindings, scopeFault, toBindings } from "./bindings";
import { RolesEditor } from "./RolesEditor";
import { isLocal, userQuery } from "./user";

type Values = { title: string; roles: RoleBinding[] };

/** As the form itself would write what is there: an answer may name empty limits. */
function valuesOf({ title, roles }: User): Values {
  return { title, roles: fromBindings(toBindings(roles)) };
}

/** What differs is sent, and nothing else: roles that somebody took away meanwhile are not given back with a name. */
function changes(from: Values, to: Values): Partial<Values> {
  return { ...(to.title !== from.title && { title: to.title }), ...(!same(to.roles, from.roles) && { roles: to.roles }) };
}

export function EditUser({ user }: { user: User }) {
  const queries = useQueryClient();
  const { me, can } = useMe();
  const [base, setBase] = useState(() => valuesOf(user));
  const [title, setTitle] = useState(user.title);
  const [roles, setRoles] = useState(() => toBindings(user.roles));
  const [tried, setTried] = useState(false);
  const [theirs, setTheirs] = useState<Values>();
  const own = me?.user?.id === user.id;
  const mine = { title: title.trim(), roles: fromBindings(roles) };
  const changed = changes(base, mine);
  const dirty = Object.keys(changed).length > 0;

  const begin = (values: Values) => {
    setBase(values);
    setTitle(values.title);
    setRoles(toBindings(values.roles));
  };
  // Saved by somebody else meanwhile: what is being edited here stays, what is not follows.
  const [seen, setSeen] = useState(user);
  if (seen !== user) {
    setSeen(user);
    if (!dirty) begin(valuesOf(user));
  }

  const save = useMutation({
    mutationFn: async () => {
      const now = valuesOf(await queries.fetchQuery({ ...userQuery(user.id), staleTime: 0 }));
      const both = Object.keys(changes(base, now)).filter(
        (field) => field in changed && !same(now[field as keyof Values], mine[field as keyof Values]),
      );
      if (both.length > 0) setTheirs(now);
      else return call(patchUser({ path: { user: user.id }, body: changed }));
    },
    onSuccess: (saved) => {
      if (!saved) return;
      queries.setQueryData(keys.one("users", user.id), saved);
      begin(valuesOf(saved));
      setTried(false);
      void queries.invalidateQueries({ queryKey: ["users", "list"] });
      if (own) void queries.invalidateQueries({ queryKey: meQuery.queryKey });
      notifications.show({ message: "Saved: it holds from their next request on" });
    },
  });
  const errors = save.error ? asProblem(save.error).errors : [];
  const local = isLocal(user);

  return (
    <>
      <UnsavedGuard dirty={dirty} />
      {theirs && (
        <ConflictModal
          what={user.email}
          base={base}
          mine={mine}
          theirs={theirs}
          onClose={() => setTheirs(undefined)}
          onResolve={(value) => {
            const { title, roles } = value as Values;
            begin(theirs);
            setTitle(title);
            setRoles(toBindings(roles));
            setTheirs(undefined);
          }}
        />
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if (!roles.some(({ scope }) => scopeFault(scope))) save.mutate();
        }}
      >
        <Stack>
          <Title order={2} size="h4">
            What they may do
          </Title>
          {own && local && (
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
          {!local && (
            <Alert color="blue" variant="light">
              Their roles are those of their groups, as of each sign-in: <code>oidc.roles</code> in the settings says which.
            </Alert>
          )}
          <Fieldset variant="unstyled" disabled={!local}>
            <RolesEditor value={roles} onChange={setRoles} errors={errors} tried={tried} />
          </Fieldset>
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
    </>
  );
}
