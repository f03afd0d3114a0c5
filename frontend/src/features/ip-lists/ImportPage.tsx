import type { IpListRepresentation } from "@guard-proxy/client";
import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { useUsersOfList } from "@/features/used/use-users";
import { ImportForm } from "./ImportForm";
import { ipListQuery } from "./ip-list";

const route = getRouteApi("/_app/ip-lists/$list/import");

export function ImportPage() {
  const { list: name } = route.useParams();
  const { replace = false } = route.useSearch();
  const query = useQuery(ipListQuery(name));
  const list: IpListRepresentation | undefined = query.data;
  const users = useUsersOfList(name);
  return (
    <>
      <PageHeader
        title={replace ? "Replace all entries" : "Paste entries"}
        parents={[
          { label: "IP lists", to: "/ip-lists" },
          { label: name, to: `/ip-lists/${name}` },
        ]}
        about={
          replace
            ? `What is here takes the place of all ${list?.entry_count ?? ""} entries of the list.`
            : "What is here comes to the entries that are there; of a network that is there already, comment and expiry are replaced."
        }
      />
      {query.error && <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton height={300} />}
      {list && <ImportForm key={String(replace)} list={list} users={users} replace={replace} />}
    </>
  );
}
