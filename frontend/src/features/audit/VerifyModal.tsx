import { type AuditVerdict, verifyAudit } from "@guard-proxy/client";
import { Alert, Button, Code, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { IconAlertOctagon, IconCheck } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { CopyButton } from "@/components/CopyButton";
import { ProblemAlert } from "@/components/ProblemAlert";
import { call } from "@/lib/api";

const FAULTS: Record<string, string> = {
  missing: "A row is not there, a later one is.",
  changed: "A row is not what was written, or what was before it is not.",
  truncated: "Rows at the end are not there.",
  head: "The head names another row than the newest.",
};

export function place(text: string): { after_id: number; after_hash: string } | undefined {
  const found = /^\s*(\d+):([0-9a-f]{64})\s*$/i.exec(text);
  return found?.[1] && found[2] ? { after_id: Number(found[1]), after_hash: found[2].toLowerCase() } : undefined;
}

/** Looks along the chain, part by part, to its end. */
export function VerifyModal({ onClose }: { onClose: () => void }) {
  const [from, setFrom] = useState("");
  const [checked, setChecked] = useState(0);
  const given = from.trim() === "" ? {} : place(from);

  const look = useMutation({
    mutationFn: async () => {
      let total = 0;
      for (let after: object = given ?? {}; ; ) {
        const part = await call(verifyAudit({ query: after }));
        total += part.checked;
        setChecked(total);
        if (!part.ok || part.complete || part.checked === 0) return part;
        after = { after_id: part.last.id, after_hash: part.last.hash };
      }
    },
  });

  return (
    <Modal opened onClose={onClose} title="Verify the audit log" size="lg">
      <Stack>
        <Text size="sm">Computes the chain anew and finds the first row that is not what was written.</Text>
        <TextInput
          label="Begin behind (optional)"
          description="The place that a look before ended at, as you kept it elsewhere: ID:HASH. It fails if that row is not what it was."
          value={from}
          onChange={(event) => setFrom(event.currentTarget.value)}
          error={given ? null : "A number, a colon and 64 hex digits."}
          spellCheck={false}
          autoComplete="off"
        />
        <ProblemAlert error={look.error} />
        <div role="status" aria-live="polite">
          {look.isPending && <Text size="sm">{checked} rows are good so far.</Text>}
          {look.data && <Verdict verdict={look.data} checked={checked} />}
        </div>
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Close
          </Button>
          <Button onClick={() => look.mutate()} loading={look.isPending} disabled={!given}>
            Verify
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function Verdict({ verdict: { broken, last, ok }, checked }: { verdict: AuditVerdict; checked: number }) {
  const at = `${last.id}:${last.hash}`;
  return (
    <Stack gap="xs">
      {ok ? (
        <Alert color="green" variant="light" icon={<IconCheck aria-hidden />} title="Nothing was changed">
          {checked} rows were looked at.
        </Alert>
      ) : (
        <Alert
          color="red"
          icon={<IconAlertOctagon aria-hidden />}
          title={`Row ${broken?.id}: ${broken && FAULTS[broken.fault]}`}
          role="alert"
        >
          {broken?.detail} {checked} rows before it are good; what comes behind was not looked at.
        </Alert>
      )}
      <Text size="sm">Keep the last good place outside of the database, and begin from it the next time:</Text>
      <Group gap={4} wrap="nowrap">
        <Code style={{ overflowWrap: "anywhere" }}>{at}</Code>
        <CopyButton value={at} label="Copy the place" />
      </Group>
    </Stack>
  );
}
