import { createUser, type Invited } from "@guard-proxy/client";
import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ProblemAlert } from "@/components/ProblemAlert";
import { RelativeTime } from "@/components/RelativeTime";
import { asProblem, call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { type BindingForm, errorsAt, fromBindings, newBinding, scopeFault } from "./bindings";
import { Once, setupLink } from "./Once";
import { RolesEditor } from "./RolesEditor";

/** Somebody's account, and the link by which they choose their password. */
export function InviteModal({ onClose }: { onClose: () => void }) {
  const [invited, setInvited] = useState<Invited>();
  const [kept, setKept] = useState(false);
  return (
    <Modal
      opened
      onClose={() => (!invited || kept) && onClose()}
      title={invited ? `${invited.user.email} is invited` : "Invite somebody"}
      size="lg"
      closeOnClickOutside={false}
      withCloseButton={!invited || kept}
    >
      {invited ? (
        <Stack>
          <Once
            title="The link to choose a password"
            label="the link"
            value={setupLink(invited.setup.token, invited.user.email)}
            kept={kept}
            onKept={setKept}
          >
            <Text size="sm">
              Send it to them by a way that only they read. It is good once, and ends <RelativeTime at={invited.setup.expires_at} />. A new
              one can be made later.
            </Text>
          </Once>
          <Group justify="flex-end">
            <Button onClick={onClose} disabled={!kept}>
              Done
            </Button>
          </Group>
        </Stack>
      ) : (
        <Form onInvited={setInvited} onClose={onClose} />
      )}
    </Modal>
  );
}

function Form({ onInvited, onClose }: { onInvited: (invited: Invited) => void; onClose: () => void }) {
  const queries = useQueryClient();
  const [email, setEmail] = useState("");
  const [title, setTitle] = useState("");
  const [roles, setRoles] = useState<BindingForm[]>(() => [newBinding()]);
  const [tried, setTried] = useState(false);
  const invite = useMutation({
    mutationFn: () => call(createUser({ body: { email: email.trim(), title: title.trim() || null, roles: fromBindings(roles) } })),
    onSuccess: (invited) => {
      onInvited(invited);
      void queries.invalidateQueries({ queryKey: keys.all("users") });
    },
  });
  const errors = invite.error ? asProblem(invite.error).errors : [];

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        setTried(true);
        if (!roles.some(({ scope }) => scopeFault(scope))) invite.mutate();
      }}
    >
      <Stack>
        <ProblemAlert error={invite.error} withErrors={errors.some(({ pointer }) => pointer === "")} />
        <TextInput
          label="E-mail address"
          type="email"
          required
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
          error={errorsAt(errors, "/email")}
          autoComplete="off"
          data-autofocus
        />
        <TextInput
          label="Name"
          value={title}
          onChange={(event) => setTitle(event.currentTarget.value)}
          error={errorsAt(errors, "/title")}
          autoComplete="off"
        />
        <RolesEditor value={roles} onChange={setRoles} errors={errors} tried={tried} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={invite.isPending}>
            Invite
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
