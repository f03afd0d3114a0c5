import type { PolicyRepresentation } from "@guard-proxy/client";
import { Alert, Skeleton, Stack } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useMe } from "@/auth/use-me";
import { refusedPlan } from "@/change/errors";
import { isShown } from "@/change/model";
import { SaveBar } from "@/change/SaveBar";
import { useSaving } from "@/change/use-saving";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import { applyProblem } from "@/lib/apply-problem";
import { PolicyFields } from "./PolicyFields";
import { FRESH, type PolicyValues, policyQuery, valuesOf } from "./policy";

const route = getRouteApi("/_app/policies/new");

export function NewPolicyPage() {
  const { copy } = route.useSearch();
  const source = useQuery({ ...policyQuery(copy ?? ""), enabled: copy !== undefined });
  const title = copy ? `Copy of ${copy}` : "New policy";
  return (
    <>
      <PageHeader
        title={title}
        parents={[{ label: "Policies", to: "/policies" }]}
        about="A new policy treats nobody until a vhost or a path uses it."
      />
      {copy && source.error && <ProblemAlert error={source.error} onRetry={() => void source.refetch()} />}
      {copy && source.isPending && <Skeleton height={300} />}
      {(!copy || source.data) && <NewPolicy key={copy} source={copy ? source.data : undefined} />}
    </>
  );
}

function NewPolicy({ source }: { source: PolicyRepresentation | undefined }) {
  const navigate = route.useNavigate();
  const { can } = useMe();
  const form = useForm<PolicyValues>({
    mode: "controlled",
    initialValues: source ? { ...valuesOf(source), name: `${source.name.slice(0, 58)}-copy` } : FRESH,
    validate: { name: (name) => (name ? null : "A policy has a name.") },
  });
  const saving = useSaving({
    resource: "policies",
    root: `/policies/${form.values.name}`,
    place: (errors) =>
      applyProblem(
        form,
        refusedPlan(errors.map((one) => (TAKEN.has(one.code) || isPath(one.pointer) ? { ...one, pointer: "/name" } : one))),
      ),
  });
  const submit = async ({ name, ...values }: PolicyValues) => {
    const value = { ...values, ...(source && { exclusions: source.exclusions, custom_rules: source.custom_rules }) };
    const operations = [{ method: "PUT" as const, path: `/policies/${encodeURIComponent(name)}`, value, if_none_match: "*" }];
    const saved = await saving.save({ operations, message: source ? `Policy ${name}, a copy of ${source.name}` : `Policy ${name}` });
    if (!saved) return;
    await navigate({ to: isShown(saved) ? `/policies/${name}` : "/policies", ignoreBlocker: true });
  };
  const may = can("create", "policy");
  const taken = source ? source.exclusions.length + source.custom_rules.length : 0;
  return (
    <>
      <UnsavedGuard dirty={form.isDirty()} />
      <form onSubmit={form.onSubmit(submit)} aria-label="New policy" noValidate>
        <Stack>
          {taken > 0 && source && (
            <Alert color="blue" variant="light">
              Its {source.exclusions.length} exclusions and {source.custom_rules.length} custom rules are copied, too.
            </Alert>
          )}
          <PolicyFields form={form} named={false} disabled={!may.allowed} />
          {Boolean(saving.error) && <ProblemAlert error={saving.error} />}
          <SaveBar dirty={source !== undefined || form.isDirty()} busy={saving.busy} disabledReason={may.disabledReason} label="Create" />
        </Stack>
      </form>
    </>
  );
}

const TAKEN = new Set(["already_exists", "taken"]);

/** The name is in the operation's path: what is wrong with it is said there. */
function isPath(pointer: string): boolean {
  return pointer === "/operations/0/path" || pointer === "/operations/0/if_none_match";
}
