import type { PolicyRepresentation } from "@guard-proxy/client";
import { Alert, Stack } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useMe } from "@/auth/use-me";
import { refusedPlan } from "@/change/errors";
import { FormConflict } from "@/change/FormConflict";
import { SaveBar } from "@/change/SaveBar";
import { useSaving } from "@/change/use-saving";
import { ProblemAlert } from "@/components/ProblemAlert";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import { applyProblem } from "@/lib/apply-problem";
import { PolicyFields } from "./PolicyFields";
import { type PolicyValues, patchOf, policyQuery, valuesOf } from "./policy";

/** A policy's own settings: read, edited and saved in one place. `onSaved`: begin anew with what the server has. */
export function PolicySettings({ policy, onSaved }: { policy: PolicyRepresentation; onSaved: () => void }) {
  const { can } = useMe();
  const queries = useQueryClient();
  // What is edited on: it moves only when the form is clean, or when both versions were looked at.
  const [base, setBase] = useState(policy);
  const [theirs, setTheirs] = useState<PolicyRepresentation>();
  const form = useForm<PolicyValues>({ mode: "controlled", initialValues: valuesOf(policy) });
  const root = `/policies/${policy.name}`;
  const saving = useSaving({
    resource: "policies",
    root,
    place: (errors) => applyProblem(form, refusedPlan(errors)),
    onStale: async () => {
      await queries.invalidateQueries({ queryKey: policyQuery(policy.name).queryKey, exact: true });
      setTheirs(await queries.fetchQuery(policyQuery(policy.name)));
    },
  });
  const dirty = form.isDirty();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the form is another object each time
  useEffect(() => {
    if (dirty || base.meta.etag === policy.meta.etag) return;
    setBase(policy);
    form.setInitialValues(valuesOf(policy));
    form.setValues(valuesOf(policy));
  }, [dirty, base, policy]);

  const submit = async (values: PolicyValues) => {
    const value = patchOf(valuesOf(base), values);
    const operations = [{ method: "PATCH" as const, path: root, value, if_match: base.meta.etag }];
    const saved = await saving.save({ operations, message: `Policy ${policy.name}: ${Object.keys(value).join(", ")}` });
    if (saved) onSaved();
  };
  const may = can("update", "policy");
  return (
    <>
      <UnsavedGuard dirty={dirty} />
      <form onSubmit={form.onSubmit(submit)} aria-label={`Settings of ${policy.name}`} noValidate>
        <Stack>
          {dirty && policy.meta.etag !== base.meta.etag && (
            <Alert color="yellow" variant="light" title="Somebody else saved this policy meanwhile" role="status">
              Go on: saving shows both versions and loses neither.
            </Alert>
          )}
          <PolicyFields form={form} named disabled={!may.allowed} />
          {Boolean(saving.error) && <ProblemAlert error={saving.error} />}
          <SaveBar dirty={dirty} busy={saving.busy} disabledReason={may.disabledReason} onReset={() => form.reset()} />
        </Stack>
        {theirs && (
          <FormConflict
            what={`Policy ${policy.name}`}
            form={form}
            base={base}
            theirs={theirs}
            valuesOf={valuesOf}
            onClose={() => setTheirs(undefined)}
            onResolved={setBase}
          />
        )}
      </form>
    </>
  );
}
