import { type Action, type CreatedToken, createToken, type FieldError, type Subject } from "@guard-proxy/client";
import { ActionIcon, Button, Group, Modal, MultiSelect, Paper, Radio, Select, Stack, TagsInput, Text, TextInput } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { rolesQuery } from "@/auth/use-me";
import { ProblemAlert } from "@/components/ProblemAlert";
import { asProblem, call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { fromLocal } from "@/lib/local-time";
import { errorsAt, fromBindings, fromPermits, newBinding, newPermit, type PermitForm, scopeFault } from "./bindings";
import { Once } from "./Once";
import { RolesEditor } from "./RolesEditor";
import { ScopeFields } from "./ScopeFields";

export function TokenModal({ onClose }: { onClose: () => void }) {
  const [created, setCreated] = useState<CreatedToken>();
  const [kept, setKept] = useState(false);
  return (
    <Modal
      opened
      onClose={() => (!created || kept) && onClose()}
      title={created ? `Token ${created.name} is made` : "New token"}
      size="lg"
      closeOnClickOutside={false}
      withCloseButton={!created || kept}
    >
      {created ? (
        <Stack>
          <Once title="The token's text" label="the token" value={created.token} kept={kept} onKept={setKept}>
            <Text size="sm">Only its hash is kept here. Send it as: Authorization: Bearer, and the text.</Text>
          </Once>
          <Group justify="flex-end">
            <Button onClick={onClose} disabled={!kept}>
              Done
            </Button>
          </Group>
        </Stack>
      ) : (
        <Form onCreated={setCreated} onClose={onClose} />
      )}
    </Modal>
  );
}

const DAY_MS = 86_400_000;
const LIVES = [
  { value: "30", label: "in 30 days" },
  { value: "90", label: "in 90 days" },
  { value: "365", label: "in a year" },
  { value: "at", label: "at a moment" },
  { value: "never", label: "never" },
];

function Form({ onCreated, onClose }: { onCreated: (created: CreatedToken) => void; onClose: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [by, setBy] = useState<"roles" | "permits">("permits");
  const [roles, setRoles] = useState(() => [newBinding()]);
  const [permits, setPermits] = useState(() => [newPermit()]);
  const [networks, setNetworks] = useState<string[]>([]);
  const [life, setLife] = useState("90");
  const [at, setAt] = useState("");
  const [tried, setTried] = useState(false);

  const expires = () => {
    if (life === "never") return null;
    if (life === "at") return fromLocal(at);
    return new Date(Date.now() + Number(life) * DAY_MS).toISOString();
  };
  const lacking = life === "at" && !fromLocal(at) ? "Name the moment." : undefined;

  const create = useMutation({
    mutationFn: () => {
      const rights = by === "roles" ? { roles: fromBindings(roles) } : { permits: fromPermits(permits) };
      return call(createToken({ body: { name: name.trim(), networks, expires_at: expires(), ...rights } }));
    },
    onSuccess: (created) => {
      onCreated(created);
      void queries.invalidateQueries({ queryKey: keys.all("tokens") });
    },
  });
  const errors = create.error ? asProblem(create.error).errors : [];

  const submit = () => {
    setTried(true);
    const scopes = by === "roles" ? roles : permits;
    const empty = by === "permits" && permits.some(({ actions, kinds }) => actions.length === 0 || kinds.length === 0);
    if (!lacking && !empty && !scopes.some(({ scope }) => scopeFault(scope))) create.mutate();
  };

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Stack>
        <ProblemAlert error={create.error} withErrors={errors.some(({ pointer }) => pointer === "")} />
        <TextInput
          label="Name"
          description="Revisions and the audit log name it. Small letters, digits and dashes; it never changes."
          placeholder="ci"
          required
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={errorsAt(errors, "/name")}
          autoComplete="off"
          spellCheck={false}
          data-autofocus
        />
        <Radio.Group label="What it may do" value={by} onChange={(next) => setBy(next as typeof by)}>
          <Stack gap={4} mt={4}>
            <Radio value="permits" label="Single actions on single kinds of things" />
            <Radio value="roles" label="What a role may" />
          </Stack>
        </Radio.Group>
        {by === "roles" ? (
          <RolesEditor value={roles} onChange={setRoles} errors={errors} tried={tried} />
        ) : (
          <PermitsEditor value={permits} onChange={setPermits} errors={errors} tried={tried} />
        )}
        <TagsInput
          label="Networks that it may be used from"
          description="None: from anywhere."
          placeholder={networks.length ? "" : "192.0.2.0/24"}
          value={networks}
          onChange={setNetworks}
          error={errorsAt(errors, "/networks")}
          acceptValueOnBlur
        />
        <Group align="flex-end" gap="xs">
          <Select
            label="Ends"
            data={LIVES}
            value={life}
            onChange={(next) => next && setLife(next)}
            allowDeselect={false}
            error={errorsAt(errors, "/expires_at")}
          />
          {life === "at" && (
            <TextInput
              type="datetime-local"
              label="Moment"
              value={at}
              onChange={(event) => setAt(event.currentTarget.value)}
              error={tried ? lacking : undefined}
            />
          )}
        </Group>
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending}>
            Make the token
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

const ACTIONS: { value: Action; label: string }[] = [
  { value: "read", label: "read" },
  { value: "create", label: "create" },
  { value: "update", label: "change" },
  { value: "delete", label: "delete" },
];

type PermitsProps = { value: PermitForm[]; onChange: (value: PermitForm[]) => void; errors: FieldError[]; tried: boolean };

function PermitsEditor({ value, onChange, errors, tried }: PermitsProps) {
  const kinds = useQuery(rolesQuery).data?.items ?? [];
  const set = (index: number, change: Partial<PermitForm>) =>
    onChange(value.map((one, place) => (place === index ? { ...one, ...change } : one)));
  return (
    <Stack gap="xs" role="group" aria-label="Permits">
      {value.map((permit, index) => (
        <Paper key={permit.key} withBorder p="xs">
          <Stack gap="xs">
            <Group gap="xs" align="flex-start" wrap="nowrap">
              <Stack gap="xs" style={{ flex: 1 }}>
                <MultiSelect
                  size="xs"
                  label="May"
                  data={ACTIONS}
                  value={permit.actions}
                  onChange={(actions) => set(index, { actions: actions as Action[] })}
                  error={
                    errorsAt(errors, `/permits/${index}/actions`) ?? (tried && permit.actions.length === 0 ? "At least one." : undefined)
                  }
                />
                <MultiSelect
                  size="xs"
                  label="these kinds of things"
                  data={kinds.map(({ kind }) => ({ value: kind, label: kind.replaceAll("_", " ") }))}
                  value={permit.kinds}
                  onChange={(next) => set(index, { kinds: next as Subject[] })}
                  error={errorsAt(errors, `/permits/${index}/kinds`) ?? (tried && permit.kinds.length === 0 ? "At least one." : undefined)}
                  searchable
                />
              </Stack>
              <ActionIcon
                variant="subtle"
                color="red"
                aria-label="Remove this permit"
                onClick={() => onChange(value.filter((_, place) => place !== index))}
              >
                <IconTrash size={16} aria-hidden />
              </ActionIcon>
            </Group>
            <ScopeFields
              label="this permit"
              value={permit.scope}
              onChange={(scope) => set(index, { scope })}
              error={errorsAt(errors, `/permits/${index}/scope`)}
              tried={tried}
            />
          </Stack>
        </Paper>
      ))}
      <Button
        variant="default"
        size="xs"
        leftSection={<IconPlus size={14} aria-hidden />}
        onClick={() => onChange([...value, newPermit()])}
        style={{ alignSelf: "flex-start" }}
      >
        Add a permit
      </Button>
    </Stack>
  );
}
