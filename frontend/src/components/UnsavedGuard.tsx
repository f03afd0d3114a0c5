import { useBlocker } from "@tanstack/react-router";
import { ConfirmModal } from "./ConfirmModal";

/** Asks before leaving a page whose form is dirty; closing the tab, too. It stands beside the form: what it asks by is a form, too. */
export function UnsavedGuard({ dirty }: { dirty: boolean }) {
  const blocker = useBlocker({ shouldBlockFn: () => dirty, enableBeforeUnload: () => dirty, withResolver: true });
  return (
    <ConfirmModal
      opened={blocker.status === "blocked"}
      onClose={() => blocker.reset?.()}
      onConfirm={() => blocker.proceed?.()}
      title="Leave without saving?"
      confirm="Leave"
      dangerous
    >
      What you changed on this page is not saved.
    </ConfirmModal>
  );
}
