import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { VhostForm } from "./form/VhostForm";
import { FRESH, valuesOf } from "./form/values";
import { vhostQuery } from "./queries";

const route = getRouteApi("/_app/vhosts/new");

/** A new one, or a copy: that has no name and no hostnames yet, since both are somebody's already. */
export function NewVhostPage() {
  const { from } = route.useSearch();
  const { data, error, refetch } = useQuery({ ...vhostQuery(from ?? ""), enabled: from !== undefined });
  return (
    <>
      <PageHeader title={from ? `New vhost, as ${from}` : "New vhost"} parents={[{ label: "Vhosts", to: "/vhosts" }]} />
      {!from && <VhostForm initial={FRESH} />}
      {from && data && <VhostForm key={from} initial={{ ...valuesOf(data), name: "", title: "", hostnames: [] }} />}
      {from && !data && error && <ProblemAlert error={error} onRetry={() => void refetch()} />}
      {from && !data && !error && <Skeleton height={480} aria-busy />}
    </>
  );
}
