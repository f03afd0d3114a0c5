import type { UseFormReturnType } from "@mantine/form";
import { ConflictModal } from "@/components/ConflictModal";

type Props<T, V extends Record<string, unknown>> = {
  what: string;
  form: UseFormReturnType<V>;
  /** What the form began with, and what somebody else made of it. */
  base: T;
  theirs: T;
  valuesOf: (object: T) => V;
  onClose: () => void;
  /** The form goes on from theirs. */
  onResolved: (theirs: T) => void;
};

/** Both versions of what a form edits; what is chosen is in the form, and saved like any other edit. */
export function FormConflict<T, V extends Record<string, unknown>>({
  what,
  form,
  base,
  theirs,
  valuesOf,
  onClose,
  onResolved,
}: Props<T, V>) {
  return (
    <ConflictModal
      what={what}
      base={valuesOf(base)}
      mine={form.getValues()}
      theirs={valuesOf(theirs)}
      onClose={onClose}
      onResolve={(value) => {
        form.setInitialValues(valuesOf(theirs));
        form.setValues(value as V);
        onResolved(theirs);
        onClose();
      }}
    />
  );
}
