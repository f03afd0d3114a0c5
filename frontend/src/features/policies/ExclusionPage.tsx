import type { ExclusionRepresentation } from "@guard-proxy/client";
import { Group, Skeleton, Stack } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { refusedPlan } from "@/change/errors";
import { FormConflict } from "@/change/FormConflict";
import { SaveBar } from "@/change/SaveBar";
import { useSaving } from "@/change/use-saving";
import { ActionButton } from "@/components/ActionButton";
import { EmptyState } from "@/components/EmptyState";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { StatusBadge } from "@/components/StatusBadge";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import { applyProblem } from "@/lib/apply-problem";
import { ExclusionFields } from "./ExclusionFields";
import { type ExclusionValues, exclusionOf, FRESH, fieldOf, isExpired, suggestedId, valuesOf } from "./exclusion";
import { exclusionsQuery } from "./policy";

type Props = {
  policy: string;
  /** Undefined: a new one, that begins with `given`. */
  id?: string;
  given?: Partial<ExclusionValues>;
};

export function ExclusionPage({ policy, id, given }: Props) {
  const query = useQuery(exclusionsQuery(policy));
  const list = `/policies/${policy}`;
  const parents = [
    { label: "Policies", to: "/policies" },
    { label: policy, to: list },
    { label: "Exclusions", to: list, search: { tab: "exclusions" } },
  ];
  const there = query.data?.find((one) => one.id === id);
  const title = id ?? "New exclusion";
  return (
    <>
      <PageHeader
        title={title}
        parents={parents}
        about={
          there && (
            <Group gap="xs">
              {isExpired(there.expires_at) && <StatusBadge state="expired" />}
              {!there.enabled && <StatusBadge state="disabled" />}
            </Group>
          )
        }
      />
      {query.error && <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton height={400} />}
      {query.data && id && !there && <EmptyState title="There is no such exclusion">It may have been deleted meanwhile.</EmptyState>}
      {query.data && (there || !id) && <ExclusionForm policy={policy} all={query.data} exclusion={there} given={given} />}
    </>
  );
}

type FormProps = {
  policy: string;
  all: ExclusionRepresentation[];
  exclusion: ExclusionRepresentation | undefined;
  given: Partial<ExclusionValues> | undefined;
};

function ExclusionForm({ policy, all, exclusion, given }: FormProps) {
  const { can } = useMe();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [base, setBase] = useState(exclusion);
  const [theirs, setTheirs] = useState<ExclusionRepresentation>();
  const form = useForm<ExclusionValues>({
    mode: "controlled",
    initialValues: base ? valuesOf(base) : { ...FRESH, ...given },
    validate: {
      rule: (rule, { by }) => (by === "id" && rule === "" ? "Which rule?" : null),
      from: (from, { by }) => (by === "range" && from === "" ? "From which rule?" : null),
      to: (to, { by }) => (by === "range" && to === "" ? "To which rule?" : null),
      tag: (tag, { by }) => (by === "tag" && !tag.trim() ? "Which tag?" : null),
    },
  });
  const suggested = suggestedId(form.values, new Set(all.map(({ id }) => id)));
  const id = base?.id ?? (form.values.id || suggested);
  const place = base ? all.findIndex((one) => one.id === base.id) : all.length;
  const path = `/policies/${policy}/exclusions/${encodeURIComponent(id)}`;
  const saving = useSaving({
    resource: "policies",
    root: `/policies/${policy}/exclusions/${place}`,
    place: (errors) => applyProblem(form, refusedPlan(errors), { field: (pointer) => fieldOf(pointer, form.getValues().by) }),
    onStale: async () => {
      await queries.invalidateQueries({ queryKey: exclusionsQuery(policy).queryKey });
      const now = await queries.fetchQuery(exclusionsQuery(policy));
      const found = now.find((one) => one.id === id);
      if (found) setTheirs(found);
      else saving.setError(new Error("Somebody else deleted this exclusion meanwhile. What you wrote is still in the form."));
    },
  });
  const back = () => navigate({ to: "/policies/$policy", params: { policy }, search: { tab: "exclusions" }, ignoreBlocker: true });

  const submit = async (values: ExclusionValues) => {
    const condition = base ? { if_match: base.meta.etag } : { if_none_match: "*" };
    const operations = [{ method: "PUT" as const, path, value: exclusionOf(values), ...condition }];
    if (await saving.save({ operations, message: `Policy ${policy}: exclusion ${id}${values.reason ? `: ${values.reason}` : ""}` }))
      await back();
  };
  const remove = async () => {
    const operations = [{ method: "DELETE" as const, path, if_match: base?.meta.etag ?? "*" }];
    if (await saving.save({ operations, message: `Policy ${policy}: exclusion ${id} deleted` })) await back();
  };
  const may = can(base ? "update" : "create", "exclusion");
  return (
    <>
      <UnsavedGuard dirty={form.isDirty()} />
      <form onSubmit={form.onSubmit(submit)} aria-label={base ? `Exclusion ${base.id}` : "New exclusion"} noValidate>
        <Stack>
          <ExclusionFields form={form} suggested={suggested} named={base !== undefined} disabled={!may.allowed} />
          {Boolean(saving.error) && <ProblemAlert error={saving.error} />}
          <SaveBar
            dirty={form.isDirty() || given !== undefined}
            busy={saving.busy}
            disabledReason={may.disabledReason}
            label={base ? "Save" : "Create"}
          >
            {base && (
              <ActionButton
                variant="default"
                onClick={() => void remove()}
                loading={saving.busy}
                disabledReason={can("delete", "exclusion").disabledReason}
              >
                Delete
              </ActionButton>
            )}
          </SaveBar>
        </Stack>
        {theirs && base && (
          <FormConflict
            what={`Exclusion ${base.id}`}
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
