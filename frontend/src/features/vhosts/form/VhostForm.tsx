import type { OperationBody, VhostRepresentation } from "@guard-proxy/client";
import { Alert, Stack } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { refusedPlan } from "@/change/errors";
import { isShown } from "@/change/model";
import { SaveBar } from "@/change/SaveBar";
import { type Saved, useSaving } from "@/change/use-saving";
import { ConflictModal } from "@/components/ConflictModal";
import { ProblemAlert } from "@/components/ProblemAlert";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import { applyProblem } from "@/lib/apply-problem";
import type { Value } from "@/lib/conflict";
import { vhostQuery } from "../queries";
import { AccessFields } from "./AccessFields";
import { Basics } from "./Basics";
import { LimitFields } from "./LimitFields";
import { fieldOf, withValue } from "./place";
import { Treatment } from "./Treatment";
import { UpstreamFields } from "./UpstreamFields";
import { missing, patchOf, type VhostValues, valuesOf, vhostOf } from "./values";

type Props = {
  /** What the form begins with. */
  initial: VhostValues;
  /** As the server has it now; undefined: it is a new one. */
  current?: VhostRepresentation;
};

/** All of a vhost. What others do meanwhile never changes what is being edited: both versions are shown first. */
export function VhostForm({ initial, current }: Props) {
  const { can } = useMe();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [base, setBase] = useState(current);
  const [theirs, setTheirs] = useState<VhostRepresentation>();
  const form = useForm<VhostValues>({ mode: "controlled", initialValues: initial, validate: missing });
  const name = base?.name ?? form.values.name;
  const saving = useSaving({
    resource: "vhosts",
    root: `/vhosts/${name}`,
    place: (errors) => {
      const values = form.getValues();
      const left = applyProblem(form, refusedPlan(withValue(values, errors)), { field: (pointer) => fieldOf(values, pointer) });
      showFirst();
      return left;
    },
    onStale: base
      ? async () => {
          try {
            setTheirs(await queries.fetchQuery({ ...vhostQuery(base.name), staleTime: 0 }));
          } catch (gone) {
            // Deleted meanwhile: what is in the form is not lost, it can be made anew.
            saving.setError(gone);
          }
        }
      : undefined,
  });
  const may = can(base ? "update" : "create", "vhost");
  const dirty = form.isDirty();

  const submit = async (values: VhostValues) => {
    const vhost = vhostOf(values);
    const saved = base
      ? await saving.save({
          operations: [change(base, vhost as Value)],
          message: `Vhost ${base.name}: ${Object.keys(patchOf(comparable(base), vhost as Value)).join(", ")}`,
        })
      : await saving.save({
          operations: [{ method: "PUT", path: `/vhosts/${values.name}`, value: vhost as Value, if_none_match: "*" }],
          message: `Vhost ${values.name}`,
        });
    if (saved) await navigate({ to: after(values.name, base !== undefined, saved), ignoreBlocker: true });
  };

  return (
    <form onSubmit={form.onSubmit(submit, showFirst)} aria-label={base ? `Vhost ${base.name}` : "New vhost"} noValidate>
      <UnsavedGuard dirty={dirty} />
      <Stack>
        {base && current && current.meta.etag !== base.meta.etag && (
          <Alert color="yellow" variant="light" title="Somebody else saved this vhost meanwhile" role="status">
            Go on: saving shows both versions and loses neither.
          </Alert>
        )}
        <Basics form={form} disabled={!may.allowed} named={base !== undefined} />
        <Treatment form={form} disabled={!may.allowed} />
        <UpstreamFields form={form} disabled={!may.allowed} />
        <AccessFields form={form} disabled={!may.allowed} />
        <LimitFields form={form} disabled={!may.allowed} />
        {Boolean(saving.error) && <ProblemAlert error={saving.error} />}
        <SaveBar
          dirty={dirty}
          busy={saving.busy}
          disabledReason={may.disabledReason}
          onReset={() => form.reset()}
          label={base ? "Save" : "Create"}
        />
      </Stack>
      {theirs && base && (
        <ConflictModal
          what={`Vhost ${base.name}`}
          base={comparable(base)}
          mine={vhostOf(form.getValues()) as Value}
          theirs={comparable(theirs)}
          onClose={() => setTheirs(undefined)}
          onResolve={(value) => {
            setBase(theirs);
            form.setInitialValues(valuesOf(theirs));
            form.setValues(valuesOf({ ...(value as Omit<VhostRepresentation, "meta">), meta: theirs.meta }));
            setTheirs(undefined);
          }}
        />
      )}
    </form>
  );
}

/** In the form's own shape, so that what the form leaves as it is does not differ. */
function comparable(vhost: VhostRepresentation): Value {
  return vhostOf(valuesOf(vhost)) as Value;
}

function change(base: VhostRepresentation, mine: Value): OperationBody {
  return { method: "PATCH", path: `/vhosts/${base.name}`, value: patchOf(comparable(base), mine), if_match: base.meta.etag };
}

/** What is only staged, or waits, is not there to be shown yet. */
function after(name: string, there: boolean, saved: Saved): string {
  return there || isShown(saved) ? `/vhosts/${name}` : "/vhosts";
}

/** Brings the first field with a fault into sight, when it is drawn. */
function showFirst() {
  requestAnimationFrame(() => document.querySelector<HTMLElement>("form [aria-invalid=true], form [data-error] input")?.focus());
}
