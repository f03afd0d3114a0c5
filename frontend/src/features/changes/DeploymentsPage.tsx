import { type Deployment, type DeploymentState, listDeployments } from "@guard-proxy/client";
import { MultiSelect, Text } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import { useMe } from "@/auth/use-me";
import { duration } from "@/change/words";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { PageHeader } from "@/components/PageHeader";
import { RelativeTime } from "@/components/RelativeTime";
import { StatusBadge } from "@/components/StatusBadge";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { usePages } from "@/lib/use-pages";
import { ChangesNav } from "./ChangesNav";
import { DEPLOYMENT_STATES } from "./words";

const route = getRouteApi("/_app/changes/deployments/");

const columns: Column<Deployment>[] = [
  { id: "revision", header: "Revision", width: 100, cell: (one) => one.revision },
  { id: "state", header: "State", width: 120, cell: (one) => <StatusBadge state={one.state} /> },
  { id: "lanes", header: "Lanes", width: 150, hideBelow: "sm", cell: (one) => one.lanes.join(", ") },
  {
    id: "said",
    header: "What the engines said",
    hideBelow: "sm",
    cell: (one) => (
      <Text size="sm" lineClamp={2} ff={one.said ? "monospace" : undefined} style={{ overflowWrap: "anywhere" }}>
        {one.said}
      </Text>
    ),
  },
  { id: "took", header: "Took", width: 90, hideBelow: "md", align: "right", cell: took },
  { id: "when", header: "Begun", width: 130, cell: (one) => <RelativeTime at={one.created_at} /> },
];

function took({ created_at, ended_at }: Deployment) {
  return ended_at ? duration((Date.parse(ended_at) - Date.parse(created_at)) * 1000) : "";
}

export function DeploymentsPage() {
  const { state } = route.useSearch();
  const navigate = route.useNavigate();
  const { can } = useMe();
  const query = { state, limit: 100 };
  const pages = usePages(keys.list("deployments", query), (cursor, signal) =>
    call(listDeployments({ query: { ...query, cursor }, signal })),
  );
  return (
    <>
      <PageHeader title="Deployments" about="How revisions were brought to the node, and how that ended." />
      <ChangesNav />
      <MultiSelect
        label="State"
        size="xs"
        maw={360}
        mb="sm"
        data={[...DEPLOYMENT_STATES]}
        value={state ?? []}
        onChange={(next) => void navigate({ search: { state: next.length ? (next as DeploymentState[]) : undefined }, replace: true })}
        placeholder={state ? "" : "any"}
        clearable
        clearButtonProps={{ "aria-label": "Clear State" }}
      />
      <DataTable
        label="Deployments"
        columns={columns}
        pages={pages}
        rowKey={(one) => one.id}
        rowLink={(one) => `/changes/deployments/${one.id}`}
        permission={can("read", "deployment")}
        empty={<EmptyState title={state ? "None is in that state" : "Nothing was deployed yet"} />}
      />
    </>
  );
}
