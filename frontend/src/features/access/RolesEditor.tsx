import type { FieldError, Role } from "@guard-proxy/client";
import { ActionIcon, Button, Group, Paper, Select, Stack, Text } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { type BindingForm, errorsAt, newBinding } from "./bindings";
import { ScopeFields } from "./ScopeFields";

const ROLES: { value: Role; label: string }[] = [
  { value: "viewer", label: "viewer: reads" },
  { value: "operator", label: "operator: also entries of IP lists, plans, rollback" },
  { value: "editor", label: "editor: also vhosts, policies, lists; approves" },
  { value: "admin", label: "admin: also people, tokens, audit" },
];

type Props = {
  value: BindingForm[];
  onChange: (value: BindingForm[]) => void;
  errors: FieldError[];
  tried: boolean;
};

/** Roles, each with where it holds. */
export function RolesEditor({ value, onChange, errors, tried }: Props) {
  const set = (index: number, change: Partial<BindingForm>) =>
    onChange(value.map((one, place) => (place === index ? { ...one, ...change } : one)));
  const own = errors.find((one) => one.pointer === "/roles")?.detail;
  return (
    <Stack gap="xs" role="group" aria-label="Roles">
      <Text size="sm" fw={500}>
        Roles
      </Text>
      {value.map((binding, index) => (
        <Paper key={binding.key} withBorder p="xs">
          <Stack gap="xs">
            <Group gap="xs" wrap="nowrap" align="flex-end">
              <Select
                label="Role"
                size="xs"
                data={ROLES}
                value={binding.role}
                onChange={(role) => role && set(index, { role: role as Role })}
                allowDeselect={false}
                error={errorsAt(errors, `/roles/${index}/role`)}
                style={{ flex: 1 }}
              />
              <ActionIcon
                variant="subtle"
                color="red"
                aria-label={`Remove role ${binding.role}`}
                onClick={() => onChange(value.filter((_, place) => place !== index))}
              >
                <IconTrash size={16} aria-hidden />
              </ActionIcon>
            </Group>
            <ScopeFields
              label={`role ${binding.role}`}
              value={binding.scope}
              onChange={(scope) => set(index, { scope })}
              error={errorsAt(errors, `/roles/${index}/scope`)}
              tried={tried}
            />
          </Stack>
        </Paper>
      ))}
      {own && (
        <Text size="sm" c="var(--mantine-color-error)" role="alert">
          {own}
        </Text>
      )}
      <Button
        variant="default"
        size="xs"
        leftSection={<IconPlus size={14} aria-hidden />}
        onClick={() => onChange([...value, newBinding()])}
        style={{ alignSelf: "flex-start" }}
      >
        Add a role
      </Button>
    </Stack>
  );
}
