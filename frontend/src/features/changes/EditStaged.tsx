import type { FieldError, Kind } from "@guard-proxy/client";
import { Alert, Button, Code, Group, List, Modal, Stack, Text, Textarea } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ConfirmModal } from "@/components/ConfirmModal";
import { Loaded } from "@/components/Loaded";
import { ProblemAlert } from "@/components/ProblemAlert";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import { keys } from "@/lib/keys";
import { kindWords, objectOf, reference } from "@/lib/objects";
import { stage, staged } from "./staging";

type Props = {
  changeSet: string;
  kind: Kind;
  name: string;
  errors: FieldError[];
  onClose: () => void;
  onSaved: () => void;
};

/** What is staged of one object, as the API has it. */
export function EditStaged(props: Props) {
  const { changeSet, kind, name, onClose } = props;
  const [dirty, setDirty] = useState(false);
  const [asking, setAsking] = useState(false);
  const close = () => (dirty ? setAsking(true) : onClose());
  const query = useQuery({
    queryKey: keys.one("change-sets", changeSet, "object", kind, name),
    queryFn: () => staged(changeSet, kind, name),
    gcTime: 0,
    // What is being edited is not to change under the hands.
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <Modal
      opened
      onClose={close}
      closeOnEscape={!asking}
      title={`${kindWords(kind)} ${name}, as staged`}
      size="xl"
      closeOnClickOutside={false}
    >
      <Loaded query={query}>{(value) => <Edit {...props} onClose={close} onDirty={setDirty} value={value} />}</Loaded>
      <UnsavedGuard dirty={dirty} />
      <ConfirmModal
        opened={asking}
        onClose={() => setAsking(false)}
        onConfirm={onClose}
        title="Close without staging?"
        confirm="Close"
        dangerous
      >
        What you changed in the text is not staged.
      </ConfirmModal>
    </Modal>
  );
}

type EditProps = Props & { value: Record<string, unknown>; onDirty: (dirty: boolean) => void };

function Edit({ changeSet, kind, name, errors, onClose, onDirty, onSaved, value }: EditProps) {
  const [begun] = useState(() => JSON.stringify({ ...value, meta: undefined }, null, 2));
  const [text, setText] = useState(begun);
  const own = errors.filter(({ pointer }) => objectOf(pointer) === reference(kind, name));

  const save = useMutation({
    mutationFn: async () => stage(changeSet, kind, name, { ...(JSON.parse(text) as Record<string, unknown>), meta: value.meta }),
    onSuccess: onSaved,
  });
  const fault = save.error instanceof SyntaxError ? `Not JSON: ${save.error.message}` : null;

  return (
    <Stack>
      {own.length > 0 && (
        <Alert color="red" variant="light" title="What it was refused for">
          <List size="sm">
            {own.map((one) => (
              <List.Item key={`${one.pointer} ${one.code}`} style={{ overflowWrap: "anywhere" }}>
                <Code>{one.pointer}</Code> {one.detail}
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
      {kind === "ip_list" && <Text size="sm">Entries are not in here: edit them on the list's page, in this change set.</Text>}
      <Textarea
        label="As JSON"
        value={text}
        onChange={({ currentTarget }) => {
          setText(currentTarget.value);
          onDirty(currentTarget.value !== begun);
        }}
        error={fault}
        autosize
        minRows={12}
        maxRows={28}
        spellCheck={false}
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: "var(--mantine-font-size-xs)" } }}
      />
      {!fault && <ProblemAlert error={save.error} />}
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button onClick={() => save.mutate()} loading={save.isPending}>
          Stage it so
        </Button>
      </Group>
    </Stack>
  );
}
