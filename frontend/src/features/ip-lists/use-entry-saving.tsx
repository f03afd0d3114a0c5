import {
  batchEntries,
  type EntryBatch,
  type FieldError,
  type IpListRepresentation,
  type OperationBody,
  replaceEntries,
} from "@guard-proxy/client";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useMe } from "@/auth/use-me";
import { inResource, shownBeside } from "@/change/errors";
import { useSaving } from "@/change/use-saving";
import { ConfirmModal } from "@/components/ConfirmModal";
import { asProblem, call } from "@/lib/api";
import { keys } from "@/lib/keys";

type Direct = { words: string; write: () => Promise<void>; decide: (done: boolean) => void };

/**
 * Entries are saved as all else is, by a plan. Operators may write entries and have no change sets: theirs are written at once, after a
 * question. Resolves to whether it was saved (or kept).
 */
export function useEntrySaving(list: IpListRepresentation, place?: (errors: FieldError[]) => FieldError[]) {
  const { can } = useMe();
  const queries = useQueryClient();
  const [direct, setDirect] = useState<Direct>();
  const root = `/ip-lists/${list.name}`;
  const saving = useSaving({ resource: "ip-lists", root, ...(place && { place }) });
  const planned = can("create", "change_set").allowed;
  const path = { ip_list: list.name };

  const save = async (operation: OperationBody, message: string, write: () => Promise<unknown>): Promise<boolean> => {
    if (planned) return Boolean(await saving.save({ operations: [operation], message }));
    return new Promise((decide) => {
      const run = async () => {
        try {
          await write();
          await queries.invalidateQueries({ queryKey: keys.all("ip-lists") });
          notifications.show({ color: "green", title: "Saved", message: "The head of the page shows when it is live." });
          decide(true);
        } catch (error) {
          const problem = asProblem(error);
          const own = inResource(problem.errors, root);
          saving.setError(shownBeside(problem, place ? place(own) : own));
          decide(false);
        }
      };
      saving.setError(undefined);
      setDirect({ words: message, write: run, decide });
    });
  };

  const batch = (body: EntryBatch, message: string) =>
    save({ method: "POST", path: `${root}/entries:batch`, value: body }, message, () =>
      call(batchEntries({ path, body, query: { message: message.slice(0, 500) } })),
    );
  const replace = (items: EntryBatch["add"], message: string) =>
    save({ method: "PUT", path: `${root}/entries`, value: { items }, if_match: list.meta.etag }, message, () =>
      call(replaceEntries({ path, body: items, query: { message: message.slice(0, 500) }, headers: { "If-Match": list.meta.etag } })),
    );

  const confirm: ReactNode = (
    <ConfirmModal
      opened={direct !== undefined}
      title="Save at once?"
      confirm="Save"
      onClose={() => {
        direct?.decide(false);
        setDirect(undefined);
      }}
      onConfirm={async () => {
        await direct?.write();
        setDirect(undefined);
      }}
    >
      {direct?.words}. Your role has no change sets: it is committed without a plan, and goes live at once.
    </ConfirmModal>
  );
  return { batch, replace, busy: saving.busy, error: saving.error, setError: saving.setError, confirm };
}
