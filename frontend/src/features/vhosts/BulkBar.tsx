import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { useSaving } from "@/change/use-saving";
import { ActionButton } from "@/components/ActionButton";
import { ProblemAlert } from "@/components/ProblemAlert";
import { useWorking } from "@/working/working";
import { NamePicker } from "./NamePicker";
import { namesOf, type VhostFilter } from "./queries";

type Props = {
  selected: ReadonlySet<string>;
  onSelect: (names: ReadonlySet<string>) => void;
  filter: VhostFilter;
  total: number | undefined;
};

/** What can be done with several vhosts: always one change set, so one revision or nothing. */
export function BulkBar({ selected, onSelect, filter, total }: Props) {
  const { can } = useMe();
  const saving = useSaving({ resource: "vhosts", root: "/vhosts" });
  const [asksPolicy, setAsksPolicy] = useState(false);
  const [finding, setFinding] = useState(false);
  const may = can("update", "vhost").disabledReason ?? (selected.size === 0 ? "Select the vhosts first." : undefined);

  const patch = async (value: { enabled: boolean } | { policy: string }, words: string) => {
    const operations = [...selected].map((name) => ({ method: "PATCH" as const, path: `/vhosts/${name}`, value }));
    const names = [...selected].slice(0, 5).join(", ");
    const message = `${words}: ${names}${selected.size > 5 ? ` and ${selected.size - 5} more` : ""}`;
    if (await saving.save({ operations, message })) onSelect(new Set());
  };
  const all = async () => {
    setFinding(true);
    saving.setError(undefined);
    try {
      onSelect(new Set(await namesOf(filter)));
    } catch (error) {
      saving.setError(error);
    } finally {
      setFinding(false);
    }
  };

  return (
    <>
      <Group gap="xs" role="group" aria-label="With the selected vhosts">
        <ActionButton
          variant="default"
          disabledReason={may}
          loading={saving.busy}
          onClick={() => void patch({ enabled: true }, "Vhosts enabled")}
        >
          Enable
        </ActionButton>
        <ActionButton
          variant="default"
          disabledReason={may}
          loading={saving.busy}
          onClick={() => void patch({ enabled: false }, "Vhosts disabled")}
        >
          Disable
        </ActionButton>
        <ActionButton variant="default" disabledReason={may} loading={saving.busy} onClick={() => setAsksPolicy(true)}>
          Give a policy
        </ActionButton>
        {selected.size > 0 && (
          <>
            {total !== undefined && selected.size < total && (
              <Button variant="subtle" loading={finding} onClick={() => void all()}>
                Select all {total}
              </Button>
            )}
            <Button variant="subtle" onClick={() => onSelect(new Set())}>
              Select none
            </Button>
          </>
        )}
      </Group>
      {Boolean(saving.error) && <ProblemAlert error={saving.error} />}
      {asksPolicy && (
        <PolicyModal
          count={selected.size}
          onClose={() => setAsksPolicy(false)}
          onChosen={(policy) => {
            setAsksPolicy(false);
            void patch({ policy }, `Vhosts get the policy ${policy}`);
          }}
        />
      )}
    </>
  );
}

type PolicyModalProps = { count: number; onClose: () => void; onChosen: (policy: string) => void };

function PolicyModal({ count, onClose, onChosen }: PolicyModalProps) {
  const [policy, setPolicy] = useState<string | null>(null);
  const working = useWorking();
  return (
    <Modal opened onClose={onClose} title={count === 1 ? "A policy for one vhost" : `A policy for ${count} vhosts`}>
      <Stack>
        <NamePicker of="policies" label="Policy" value={policy} onChange={setPolicy} data-autofocus />
        <Text size="sm" c="dimmed">
          Policies of their paths stay as they are.
        </Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <ActionButton
            disabledReason={policy ? undefined : "Choose the policy first."}
            onClick={() => {
              if (policy) onChosen(policy);
            }}
          >
            {working ? "Stage it" : "See what it does"}
          </ActionButton>
        </Group>
      </Stack>
    </Modal>
  );
}
