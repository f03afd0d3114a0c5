import { listVhosts, type VhostRepresentation } from "@guard-proxy/client";
import { Badge, Group, Stack, TagsInput, Text } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { useMe } from "@/auth/use-me";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { LinkButton } from "@/components/LinkButton";
import { PageHeader } from "@/components/PageHeader";
import { RelativeTime } from "@/components/RelativeTime";
import { SearchInput } from "@/components/SearchInput";
import { StatusBadge } from "@/components/StatusBadge";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { usePages } from "@/lib/use-pages";
import { useStatus } from "@/live/use-live";
import { BulkBar } from "./BulkBar";
import { EnabledFilter } from "./EnabledFilter";
import { Labels } from "./Labels";
import { NamesPicker } from "./NamePicker";
import type { VhostFilter } from "./queries";
import { type VhostSearch, withoutNothing } from "./search";

const route = getRouteApi("/_app/vhosts/");

function columnsWith(unproven: ReadonlySet<string>): Column<VhostRepresentation>[] {
  return [
    { id: "name", header: "Name", sort: "name", cell: (vhost) => vhost.name },
    { id: "hostnames", header: "Hostnames", hideBelow: "sm", cell: ({ hostnames }) => <Hostnames all={hostnames} /> },
    { id: "policy", header: "Policy", width: 140, cell: ({ policy, paths }) => (paths.length > 0 ? `${policy} +${paths.length}` : policy) },
    {
      id: "state",
      header: "State",
      width: 130,
      cell: (vhost) => (
        <Group gap={4}>
          {unproven.has(vhost.name) && <StatusBadge state="unproven" />}
          {!vhost.enabled && <StatusBadge state="disabled" />}
          {vhost.protected && (
            <Badge variant="light" color="blue" tt="none">
              protected
            </Badge>
          )}
        </Group>
      ),
    },
    { id: "labels", header: "Labels", hideBelow: "lg", cell: ({ labels }) => <Labels labels={labels} /> },
    {
      id: "updated",
      header: "Changed",
      sort: "updated_at",
      width: 150,
      hideBelow: "md",
      cell: ({ meta }) => <RelativeTime at={meta.updated_at} />,
    },
  ];
}

function Hostnames({ all }: { all: string[] }) {
  return (
    <Text size="sm" style={{ overflowWrap: "anywhere" }}>
      {all.slice(0, 2).map((hostname, at) => (
        <span key={hostname} style={{ display: "inline-block", marginInlineEnd: "0.4em" }}>
          {hostname}
          {at < Math.min(all.length, 2) - 1 && ","}
        </span>
      ))}
      {all.length > 2 && `+${all.length - 2}`}
    </Text>
  );
}

export function VhostsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { can } = useMe();
  const unproven = useStatus().data?.unproven;
  const columns = useMemo(() => columnsWith(new Set(unproven)), [unproven]);
  const filter: VhostFilter = { q: search.q, label: search.label, policy: search.policy, enabled: search.enabled };
  const query = { ...filter, sort: search.sort ?? ("name" as const), limit: 100 };
  const pages = usePages(keys.list("vhosts", query), (cursor, signal) => call(listVhosts({ query: { ...query, cursor }, signal })));
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const set = (next: VhostSearch) => void navigate({ search: (before) => withoutNothing({ ...before, ...next }), replace: true });
  const filtered = Object.values(filter).some((one) => one !== undefined);

  return (
    <>
      <PageHeader
        title="Vhosts"
        about="Protected sites: hostnames, where their requests go, and how they are treated."
        actions={
          <LinkButton to="/vhosts/new" disabledReason={can("create", "vhost").disabledReason}>
            New vhost
          </LinkButton>
        }
      />
      <Stack gap="sm" mb="sm">
        <Group align="flex-end" gap="sm">
          <SearchInput label="Search by name, title or hostname" value={search.q} onChange={(q) => set({ q })} />
          <NamesPicker
            of="policies"
            aria-label="Only of these policies"
            placeholder={search.policy ? undefined : "Policy"}
            value={search.policy ?? []}
            onChange={(policy) => set({ policy })}
            clearable
            clearButtonProps={{ "aria-label": "Clear the policies" }}
            style={{ flex: "0 1 14rem" }}
          />
          <TagsInput
            aria-label="Only with these labels, key:value"
            placeholder={search.label ? undefined : "Label, as team:web"}
            value={search.label ?? []}
            onChange={(label) => set({ label: label.filter((one) => one.includes(":")) })}
            splitChars={[",", " "]}
            clearable
            clearButtonProps={{ "aria-label": "Clear the labels" }}
            style={{ flex: "0 1 14rem" }}
          />
          <EnabledFilter value={search.enabled} onChange={(enabled) => set({ enabled })} />
        </Group>
        <BulkBar selected={selected} onSelect={setSelected} filter={filter} total={pages.total} />
      </Stack>
      <DataTable
        label="Vhosts"
        columns={columns}
        pages={pages}
        rowKey={(vhost) => vhost.name}
        rowLink={(vhost) => `/vhosts/${vhost.name}`}
        sort={query.sort}
        onSort={(sort) => set({ sort: sort as VhostSearch["sort"] })}
        selection={{ selected, onChange: setSelected }}
        permission={can("read", "vhost")}
        empty={
          filtered ? (
            <EmptyState title="No vhost is like this">Take out one of the filters.</EmptyState>
          ) : (
            <EmptyState title="No vhosts yet">The first one wants a policy: make that before it.</EmptyState>
          )
        }
      />
    </>
  );
}
