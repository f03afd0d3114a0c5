import { Alert } from "@mantine/core";
import { IconAlertOctagon } from "@tabler/icons-react";

/** Before one saves what locks oneself out. */
export function ThisIsYou({ words }: { words: string | undefined }) {
  if (!words) return null;
  return (
    <Alert color="red" variant="light" icon={<IconAlertOctagon aria-hidden />} title="You would lock yourself out" role="alert">
      {words}
    </Alert>
  );
}
