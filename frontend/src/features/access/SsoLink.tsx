import { patchUser, type User } from "@guard-proxy/client";
import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { methodsQuery } from "@/auth/methods";
import { useMe } from "@/auth/use-me";
import { ActionButton } from "@/components/ActionButton";
import { ProblemAlert } from "@/components/ProblemAlert";
import { asProblem, call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { errorsAt } from "./bindings";
import { isLocal } from "./user";

/** How somebody comes: by a password, or by the provider of single sign-on, where there is one. */
export function SsoLink({ user }: { user: User }) {
  const sso = useQuery(methodsQuery).data?.sso;
  const { can } = useMe();
  const [asking, setAsking] = useState(false);
  if (!sso) return null;
  return (
    <>
      <ActionButton variant="default" onClick={() => setAsking(true)} disabledReason={can("update", "user").disabledReason}>
        {isLocal(user) ? `Link to ${sso.name}` : `Unlink from ${sso.name}`}
      </ActionButton>
      {asking && <Ask user={user} provider={sso.name} onClose={() => setAsking(false)} />}
    </>
  );
}

function Ask({ user, provider, onClose }: { user: User; provider: string; onClose: () => void }) {
  const queries = useQueryClient();
  const [subject, setSubject] = useState("");
  const local = isLocal(user);
  const save = useMutation({
    mutationFn: () => call(patchUser({ path: { user: user.id }, body: { sso_subject: local ? subject : null } })),
    onSuccess: (saved) => {
      queries.setQueryData(keys.one("users", user.id), saved);
      for (const read of ["users", "sessions"] as const) void queries.invalidateQueries({ queryKey: keys.all(read) });
      onClose();
    },
  });
  const errors = save.error ? asProblem(save.error).errors : [];
  const at = errorsAt(errors, "/sso_subject");
  return (
    <Modal opened onClose={onClose} title={local ? `Link ${user.email} to ${provider}?` : `Unlink ${user.email} from ${provider}?`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack>
          <Text size="sm">
            {local
              ? "They come by it alone from then on, with the roles of their groups. Their password and authenticator go, and their sessions end."
              : "They come by it no more, and their sessions end. Their roles stay; to come back they choose a password by a setup link."}
          </Text>
          {!at && <ProblemAlert error={save.error} />}
          {local && (
            <TextInput
              label="Subject"
              description={`What ${provider} knows them by: the \`sub\` of its tokens, exactly so. It is no e-mail address.`}
              required
              value={subject}
              onChange={(event) => setSubject(event.currentTarget.value)}
              error={at}
              autoComplete="off"
              spellCheck={false}
              data-autofocus
            />
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" color="red" loading={save.isPending}>
              {local ? "Link" : "Unlink"}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
