import { type IpListRepresentation, listIpLists } from "@guard-proxy/client";
import { Group, Text } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { useSaving } from "@/change/use-saving";
import { ActionButton } from "@/components/ActionButton";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { LinkButton } from "@/components/LinkButton";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { RelativeTime } from "@/components/RelativeTime";
import { SearchInput } from "@/components/SearchInput";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { usePages } from "@/lib/use-pages";

const route = getRouteApi("/_app/ip-lists/");

const columns: Column<IpListRepresentation>[] = [
  { id: "name", header: "Name", sort: "name", cell: (list) => list.name },
  { id: "title", header: "Title", hideBelow: "sm", cell: (list) => list.title },
  { id: "entries", header: "Entries", align: "right", width: 100, cell: (list) => list.entry_count },
  {
    id: "updated",
    header: "Changed",
    sort: "updated_at",
    width: 150,
    hideBelow: "xs",
    cell: (list) => <RelativeTime at={list.meta.updated_at} />,
  },
  {
    id: "revision",
    header: "Revision",
    align: "right",
    width: 100,
    hideBelow: "md",
    cell: (list) => <Text size="sm">{list.meta.revision < 0 ? "staged" : list.meta.revision}</Text>,
  },
];

export function IpListsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { can } = useMe();
  const query = { q: search.q, sort: search.sort ?? ("name" as const), limit: 100 };
  const pages = usePages(keys.list("ip-lists", query), (cursor, signal) => call(listIpLists({ query: { ...query, cursor }, signal })));
  const saving = useSaving({ resource: "ip-lists", root: "" });
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());

  const remove = async () => {
    const names = [...selected];
    const operations = names.map((name) => ({ method: "DELETE" as const, path: `/ip-lists/${name}` }));
    if (await saving.save({ operations, message: `IP lists deleted: ${names.join(", ")}` })) setSelected(new Set());
  };

  return (
    <>
      <PageHeader
        title="IP lists"
        about="Named sets of networks. Vhosts use them to deny clients, to let only them in, or to trust them past the WAF."
        actions={
          <LinkButton to="/ip-lists/new" disabledReason={can("create", "ip_list").disabledReason}>
            New list
          </LinkButton>
        }
      />
      <Group mb="sm">
        <SearchInput
          label="Search by name or title"
          value={search.q}
          onChange={(q) => void navigate({ search: (before) => ({ ...before, q }), replace: true })}
        />
        <ActionButton
          variant="default"
          onClick={() => void remove()}
          loading={saving.busy}
          disabledReason={can("delete", "ip_list").disabledReason ?? (selected.size === 0 ? "Select the lists first." : undefined)}
        >
          Delete
        </ActionButton>
      </Group>
      {Boolean(saving.error) && <ProblemAlert error={saving.error} />}
      <DataTable
        label="IP lists"
        columns={columns}
        pages={pages}
        rowKey={(list) => list.name}
        rowLink={(list) => `/ip-lists/${list.name}`}
        sort={query.sort}
        onSort={(sort) => void navigate({ search: (before) => ({ ...before, sort: sort as typeof query.sort }), replace: true })}
        selection={{ selected, onChange: setSelected }}
        permission={can("read", "ip_list")}
        empty={
          search.q ? (
            <EmptyState title="No list has this in its name or title" />
          ) : (
            <EmptyState title="No IP lists yet">A list of the networks of your monitoring is a good first one.</EmptyState>
          )
        }
      />
    </>
  );
}
