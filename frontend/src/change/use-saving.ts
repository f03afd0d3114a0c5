import type { FieldError } from "@guard-proxy/client";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { asProblem } from "@/lib/api";
import { keys, type Resource } from "@/lib/keys";
import { useChange } from "./ChangeProvider";
import { inResource, refusedPlan, shownBeside } from "./errors";
import type { Ask, Outcome } from "./model";
import { tell } from "./tell";

type Options = {
  /** What has to be read anew after it. */
  resource: Resource;
  /** Where the resource is in a plan: `/policies/shop`. */
  root: string;
  /** Shows errors at their fields and gives back those that have none. Pointers are the resource's. */
  place?: (errors: FieldError[]) => FieldError[];
  /** Somebody else was faster. */
  onStale?: () => void | Promise<void>;
};

/** What a form has to do around the change flow. `save` resolves to undefined where it was not saved: `error` and the fields say why. */
export function useSaving({ resource, root, place, onStale }: Options) {
  const change = useChange();
  const queries = useQueryClient();
  const [error, setError] = useState<unknown>();

  const save = async (ask: Ask): Promise<Saved | undefined> => {
    setError(undefined);
    const placed = (errors: FieldError[]) => {
      const own = inResource(errors, root);
      return place ? place(own) : own;
    };
    try {
      const outcome = await change.save({ ...ask, errorsToForm: true });
      if (outcome.kind === "cancelled") {
        if (outcome.errors.length > 0) setError(shownBeside(refusedPlan(outcome.errors), placed(outcome.errors)));
        return undefined;
      }
      tell(outcome, ask);
      await queries.invalidateQueries({ queryKey: keys.all(resource) });
      // What was taken back is in the form still, to be mended.
      return outcome.kind === "refused" ? undefined : outcome;
    } catch (refused) {
      const problem = asProblem(refused);
      if (onStale && problem.errors.some(({ code }) => code === "precondition_failed")) await onStale();
      else setError(shownBeside(problem, placed(problem.errors)));
      return undefined;
    }
  };

  return { save, busy: change.busy, error, setError };
}

export type Saved = Exclude<Outcome, { kind: "cancelled" | "refused" }>;
