import { deleteModeOverride, type Mode, type ModeOverride, putModeOverride } from "@guard-proxy/client";
import { Alert, Button, Group, Modal, NumberInput, SegmentedControl, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { IconAlertOctagon, IconFlame } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { ActionButton } from "@/components/ActionButton";
import { ProblemAlert } from "@/components/ProblemAlert";
import { RelativeTime } from "@/components/RelativeTime";
import { call } from "@/lib/api";
import { applyProblem } from "@/lib/apply-problem";
import { keys } from "@/lib/keys";

type Props = { vhost: string; current: ModeOverride | null };

/** The break-glass: at once, for a while, without a revision and without approval. */
export function EmergencyMode({ vhost, current }: Props) {
  const { can } = useMe();
  const [asked, setAsked] = useState(false);
  const moved = useMoved();
  const end = useMutation({ mutationFn: () => call(deleteModeOverride({ path: { vhost } })), onSuccess: moved });
  const reason = can("update", "mode_override").disabledReason;
  return (
    <Stack gap="xs">
      <ProblemAlert error={end.error} />
      {current ? (
        <Alert color="red" variant="outline" icon={<IconAlertOctagon aria-hidden />} title={`Emergency mode: ${current.mode}`} role="alert">
          <Group justify="space-between">
            <Text size="sm">
              {current.reason} ({current.author}). It ends by itself <RelativeTime at={current.until} />.
            </Text>
            <ActionButton
              size="xs"
              disabledReason={can("delete", "mode_override").disabledReason}
              loading={end.isPending}
              onClick={() => end.mutate()}
            >
              End it now
            </ActionButton>
          </Group>
        </Alert>
      ) : (
        <Group>
          <ActionButton
            variant="default"
            leftSection={<IconFlame size={16} aria-hidden />}
            disabledReason={reason}
            onClick={() => setAsked(true)}
          >
            Emergency mode
          </ActionButton>
          <Text size="sm" c="dimmed">
            Another mode for a while, at once, whatever the policies say.
          </Text>
        </Group>
      )}
      <Modal opened={asked} onClose={() => setAsked(false)} title={`Emergency mode of ${vhost}`}>
        {asked && <Ask vhost={vhost} onDone={() => setAsked(false)} />}
      </Modal>
    </Stack>
  );
}

/** The vhost's status, and that of all. */
function useMoved() {
  const client = useQueryClient();
  return () => client.invalidateQueries({ queryKey: keys.all("status") });
}

function Ask({ vhost, onDone }: { vhost: string; onDone: () => void }) {
  const moved = useMoved();
  const form = useForm({
    initialValues: { mode: "detect" as Mode, minutes: 30, reason: "" },
    validate: { reason: (text) => (text.trim() ? null : "Say why: everybody sees it.") },
  });
  const put = useMutation({
    mutationFn: ({ mode, minutes, reason }: typeof form.values) => {
      const until = new Date(Date.now() + minutes * 60_000).toISOString();
      return call(putModeOverride({ path: { vhost }, body: { mode, until, reason: reason.trim() } }));
    },
    onSuccess: async () => {
      await moved();
      onDone();
    },
    onError: (refused) => applyProblem(form, refused),
  });
  return (
    <form onSubmit={form.onSubmit((values) => put.mutate(values))}>
      <Stack>
        <Text size="sm">
          All of the site is treated so at once, also where it is protected: no revision, no approval. Everybody sees it, and it is in the
          audit log.
        </Text>
        <ProblemAlert error={put.error} />
        <SegmentedControl
          aria-label="Mode"
          data={[
            { value: "off", label: "off: not inspected" },
            { value: "detect", label: "detect: only reported" },
            { value: "block", label: "block" },
          ]}
          {...form.getInputProps("mode")}
        />
        <NumberInput
          label="Minutes"
          description="Then it is over by itself; at most 24 hours."
          min={1}
          max={1440}
          required
          {...form.getInputProps("minutes")}
        />
        <TextInput label="Why" maxLength={500} required {...form.getInputProps("reason")} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
            Cancel
          </Button>
          <Button type="submit" color="red" loading={put.isPending}>
            Put it into emergency mode
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
