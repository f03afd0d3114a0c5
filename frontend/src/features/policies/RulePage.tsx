import type { CustomRuleRepresentation } from "@guard-proxy/client";
import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { EmptyState } from "@/components/EmptyState";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { rulesQuery } from "./policy";
import { RuleForm } from "./RuleForm";

/** `id` undefined: a new one. */
export function RulePage({ policy, id }: { policy: string; id?: number }) {
  const query = useQuery(rulesQuery(policy));
  const there: CustomRuleRepresentation | undefined = query.data?.find((one) => one.id === id);
  return (
    <>
      <PageHeader
        title={id === undefined ? "New custom rule" : `Rule ${id}`}
        parents={[
          { label: "Policies", to: "/policies" },
          { label: policy, to: `/policies/${policy}` },
          { label: "Custom rules", to: `/policies/${policy}`, search: { tab: "rules" } },
        ]}
      />
      {query.error && <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton height={400} />}
      {query.data && id !== undefined && !there && (
        <EmptyState title="There is no such rule">It may have been deleted meanwhile.</EmptyState>
      )}
      {query.data && (there || id === undefined) && <RuleForm policy={policy} all={query.data} rule={there} />}
    </>
  );
}
