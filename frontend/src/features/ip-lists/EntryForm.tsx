import type { EntryRepresentation, IpListRepresentation } from "@guard-proxy/client";
import { Button, Group, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { refusedPlan } from "@/change/errors";
import { ActionButton } from "@/components/ActionButton";
import { ProblemAlert } from "@/components/ProblemAlert";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import { applyProblem } from "@/lib/apply-problem";
import { fromLocal, toLocal } from "@/lib/local-time";
import type { LockOut } from "./lock-out";
import { ThisIsYou } from "./ThisIsYou";
import { useEntrySaving } from "./use-entry-saving";

type Props = {
  list: IpListRepresentation;
  /** Of one that is there comment and expiry can be changed. */
  entry: EntryRepresentation | undefined;
  lockOut: LockOut;
  disabledReason: string | undefined;
  onDone: () => void;
};
type Values = { network: string; comment: string; expires: string };

const EMPTY: Values = { network: "", comment: "", expires: "" };
const FIELDS: Record<string, keyof Values> = { network: "network", comment: "comment", expires_at: "expires" };

export function EntryForm({ list, entry, lockOut, disabledReason, onDone }: Props) {
  const initialValues = entry ? { network: entry.network, comment: entry.comment, expires: toLocal(entry.expires_at) } : EMPTY;
  const form = useForm<Values>({
    mode: "controlled",
    initialValues,
    validate: { network: (network) => (network.trim() ? null : "Which network?") },
  });
  const saving = useEntrySaving(list, (errors) =>
    applyProblem(form, refusedPlan(errors), { field: (pointer) => FIELDS[/^\/add\/0\/(\w+)/.exec(pointer)?.[1] ?? ""] }),
  );
  const submit = async ({ network, comment, expires }: Values) => {
    const add = [{ network: network.trim(), comment, expires_at: fromLocal(expires) }];
    if (!(await saving.batch({ add, remove: [] }, `IP list ${list.name}: ${network.trim()}${comment ? ` (${comment})` : ""}`))) return;
    form.setInitialValues(EMPTY);
    form.setValues(EMPTY);
    onDone();
  };
  const disabled = disabledReason !== undefined;
  return (
    <>
      <UnsavedGuard dirty={form.isDirty()} />
      <form onSubmit={form.onSubmit(submit)} aria-label={entry ? `Edit ${entry.network}` : "Add an entry"} noValidate>
        <Stack gap="xs">
          <Group align="flex-start" gap="sm">
            <TextInput
              label="Network"
              placeholder="192.0.2.0/24"
              maxLength={49}
              spellCheck={false}
              autoComplete="off"
              disabled={disabled}
              readOnly={entry !== undefined}
              style={{ flex: "1 1 12rem", minWidth: 0 }}
              {...form.getInputProps("network")}
            />
            <TextInput
              label="Comment"
              maxLength={200}
              disabled={disabled}
              style={{ flex: "2 1 14rem", minWidth: 0 }}
              {...form.getInputProps("comment")}
            />
            <TextInput
              type="datetime-local"
              label="Expires"
              disabled={disabled}
              style={{ flex: "0 1 14rem", minWidth: 0 }}
              {...form.getInputProps("expires")}
            />
            <Group gap="xs" mt={25}>
              <ActionButton type="submit" loading={saving.busy} disabledReason={disabledReason}>
                {entry ? "Save" : "Add"}
              </ActionButton>
              {entry && (
                <Button variant="default" onClick={onDone}>
                  Cancel
                </Button>
              )}
            </Group>
          </Group>
          <ThisIsYou words={lockOut.byAdding([form.values.network])} />
          {Boolean(saving.error) && <ProblemAlert error={saving.error} />}
        </Stack>
      </form>
      {saving.confirm}
    </>
  );
}
