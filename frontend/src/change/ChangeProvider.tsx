import { type ChangeSet, createChangeSet, discardChangeSet, getChangeSet, type Plan, planChangeSet } from "@guard-proxy/client";
import { useQueryClient } from "@tanstack/react-query";
import { createContext, lazy, type ReactNode, Suspense, useCallback, useContext, useMemo, useState } from "react";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { loadWorking, useWorking } from "@/working/working";
import { type Ask, differs, type Outcome } from "./model";

// Not needed to show the first page.
const PlanDrawer = lazy(() => import("./PlanDrawer"));

type Flow = {
  /**
   * Stages, plans and shows it; resolves when that is decided. Where one works in a change set it is staged there, and that is all. Throws a
   * `Problem` where the server takes it not even as a change set.
   */
  save: (ask: Ask) => Promise<Outcome>;
  /** The same for a change set that is there already. */
  review: (changeSet: string) => Promise<Outcome>;
  busy: boolean;
};

const Context = createContext<Flow | undefined>(undefined);

/** How everything is saved: a change set, its plan, and a decision. */
export function useChange(): Flow {
  const flow = useContext(Context);
  if (!flow) throw new Error("useChange is for what is inside of ChangeProvider");
  return flow;
}

type Open = { changeSet: ChangeSet; plan: Plan; ask: Ask | undefined; decide: (outcome: Outcome) => void };

export function ChangeProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [open, setOpen] = useState<Open>();
  const [busy, setBusy] = useState(false);
  const working = useWorking();

  const show = useCallback(async (changeSet: ChangeSet, plan: Plan, ask?: Ask): Promise<Outcome> => {
    const outcome = await new Promise<Outcome>((decide) => setOpen({ changeSet, plan, ask, decide }));
    setOpen(undefined);
    return outcome;
  }, []);

  const save = useCallback(
    async (ask: Ask): Promise<Outcome> => {
      setBusy(true);
      let staged: ChangeSet | undefined;
      try {
        if (working) {
          const { stageIn } = await loadWorking();
          await stageIn(queries, working, ask);
          return { kind: "staged", changeSet: working, working: true };
        }
        staged = await call(createChangeSet({ body: { message: ask.message ?? "", operations: ask.operations } }));
        const plan = await call(planChangeSet({ path: { change_set: staged.id } }));
        if (!differs(plan) && plan.errors.length === 0) {
          await discard(staged.id);
          return { kind: "nothing" };
        }
        const back = ask.errorsToForm && plan.errors.length > 0;
        const outcome: Outcome = back ? { kind: "cancelled", errors: plan.errors } : await show(staged, plan, ask);
        if (outcome.kind === "cancelled") await discard(staged.id);
        return outcome;
      } catch (error) {
        // Begun and not planned: nobody would know of it.
        if (staged) await discard(staged.id);
        throw error;
      } finally {
        setBusy(false);
        void queries.invalidateQueries({ queryKey: keys.all("change-sets") });
      }
    },
    [queries, show, working],
  );

  const review = useCallback(
    async (id: string): Promise<Outcome> => {
      setBusy(true);
      try {
        const path = { change_set: id };
        const changeSet = await call(getChangeSet({ path }));
        return await show(changeSet, await call(planChangeSet({ path })));
      } finally {
        setBusy(false);
        void queries.invalidateQueries({ queryKey: keys.all("change-sets") });
      }
    },
    [queries, show],
  );

  const flow = useMemo(() => ({ save, review, busy }), [save, review, busy]);
  return (
    <Context value={flow}>
      {children}
      {open && (
        <Suspense>
          <PlanDrawer {...open} />
        </Suspense>
      )}
    </Context>
  );
}

async function discard(id: string) {
  try {
    await call(discardChangeSet({ path: { change_set: id } }));
  } catch {
    // It stays among one's change sets, where it can be discarded again.
  }
}
