import { Button, Group, Text } from "@mantine/core";
import { ActionButton } from "@/components/ActionButton";
import classes from "./SaveBar.module.css";

type Props = {
  dirty: boolean;
  busy: boolean;
  /** Why who is here may not save at all. */
  disabledReason?: string | undefined;
  onReset?: () => void;
  label?: string;
  children?: React.ReactNode;
};

/** The end of a form. Saving shows what it would do first. */
export function SaveBar({ dirty, busy, disabledReason, onReset, label = "Save", children }: Props) {
  return (
    <Group className={classes.bar} justify="flex-end" gap="sm">
      {dirty && (
        <Text size="sm" c="dimmed" role="status">
          Not saved yet
        </Text>
      )}
      {children}
      {onReset && (
        <Button variant="default" onClick={onReset} disabled={!dirty || busy}>
          Undo
        </Button>
      )}
      <ActionButton type="submit" loading={busy} disabledReason={disabledReason ?? (dirty ? undefined : "Nothing is changed.")}>
        {label}
      </ActionButton>
    </Group>
  );
}
