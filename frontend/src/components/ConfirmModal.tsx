import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";

type Props = {
  opened: boolean;
  onClose: () => void;
  onConfirm: () => void | Promise<void>;
  title: string;
  children?: ReactNode;
  confirm: string;
  dangerous?: boolean;
  /** Has to be typed first: for what cannot be undone. */
  typed?: string;
};

export function ConfirmModal(props: Props) {
  return (
    <Modal opened={props.opened} onClose={props.onClose} title={props.title}>
      {/* Begins anew each time that it opens. */}
      {props.opened && <Confirm {...props} />}
    </Modal>
  );
}

function Confirm({ onClose, onConfirm, children, confirm, dangerous, typed }: Props) {
  const [text, setText] = useState("");
  const run = useMutation({ mutationFn: async () => onConfirm() });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        run.mutate();
      }}
    >
      <Stack>
        {children && <Text component="div">{children}</Text>}
        {typed && (
          <TextInput
            label={`Type ${typed} to go on`}
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            autoComplete="off"
            spellCheck={false}
            data-autofocus
          />
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button
            type="submit"
            color={dangerous ? "red" : undefined}
            loading={run.isPending}
            disabled={typed !== undefined && text !== typed}
          >
            {confirm}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
