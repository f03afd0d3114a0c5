import { isProblem } from "@guard-proxy/client";
import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { EmptyState } from "@/components/EmptyState";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { VhostForm } from "./form/VhostForm";
import { valuesOf } from "./form/values";
import { vhostQuery } from "./queries";

const route = getRouteApi("/_app/vhosts/$vhost/edit");

export function EditVhostPage() {
  const { vhost: name } = route.useParams();
  const { data, error, refetch } = useQuery(vhostQuery(name));
  return (
    <>
      <PageHeader
        title={`Edit ${data?.title || name}`}
        parents={[
          { label: "Vhosts", to: "/vhosts" },
          { label: name, to: `/vhosts/${name}` },
        ]}
      />
      {data ? (
        <VhostForm key={name} initial={valuesOf(data)} current={data} />
      ) : isProblem(error, "not_found") ? (
        <EmptyState title="There is no such vhost">Or it is not yours to see.</EmptyState>
      ) : error ? (
        <ProblemAlert error={error} onRetry={() => void refetch()} />
      ) : (
        <Skeleton height={480} aria-busy />
      )}
    </>
  );
}
