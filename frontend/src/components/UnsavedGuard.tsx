import { useBlocker } from "@tanstack/react-router";
import { useEffect } from "react";
import { unsaved } from "@/lib/unsaved";
import { ConfirmModal } from "./ConfirmModal";

/** Asks before leaving a page whose form is dirty; closing the tab, too. It stands beside the form: what it asks by is a form, too. */
export function UnsavedGuard({ dirty }: { dirty: boolean }) {
  useEffect(() => (dirty ? unsaved.add() : undefined), [dirty]);
  const asks = () => dirty && unsaved.get();
  const blocker = useBlocker({ shouldBlockFn: asks, enableBeforeUnload: asks, withResolver: true });
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
