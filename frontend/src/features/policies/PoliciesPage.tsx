import { listPolicies, type Mode, type PolicyRepresentation } from "@guard-proxy/client";
import { Chip, Group } from "@mantine/core";
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
import { StatusBadge } from "@/components/StatusBadge";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { usePages } from "@/lib/use-pages";
import { MODES } from "./words";

const route = getRouteApi("/_app/policies/");

const columns: Column<PolicyRepresentation>[] = [
  { id: "name", header: "Name", sort: "name", cell: (policy) => policy.name },
  { id: "title", header: "Title", hideBelow: "md", cell: (policy) => policy.title },
  { id: "mode", header: "Mode", width: 130, cell: (policy) => <StatusBadge state={policy.mode} /> },
  { id: "paranoia", header: "Paranoia", width: 130, hideBelow: "sm", cell: (policy) => paranoia(policy) },
  { id: "threshold", header: "Threshold", width: 100, align: "right", hideBelow: "sm", cell: (policy) => policy.thresholds.inbound },
  { id: "exclusions", header: "Exclusions", width: 100, align: "right", hideBelow: "md", cell: (policy) => policy.exclusions.length },
  { id: "rules", header: "Rules", width: 80, align: "right", hideBelow: "md", cell: (policy) => policy.custom_rules.length },
  {
    id: "updated",
    header: "Changed",
    sort: "updated_at",
    width: 150,
    hideBelow: "sm",
    cell: (policy) => <RelativeTime at={policy.meta.updated_at} />,
  },
];

function paranoia({ paranoia: { blocking, detection } }: PolicyRepresentation): string {
  return detection > blocking ? `${blocking}, reports ${detection}` : `${blocking}`;
}

export function PoliciesPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { can } = useMe();
  const query = { q: search.q, mode: search.mode, sort: search.sort ?? ("name" as const), limit: 100 };
  const pages = usePages(keys.list("policies", query), (cursor, signal) => call(listPolicies({ query: { ...query, cursor }, signal })));
  const saving = useSaving({ resource: "policies", root: "" });
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());

  const remove = async () => {
    const names = [...selected];
    const operations = names.map((name) => ({ method: "DELETE" as const, path: `/policies/${name}` }));
    if (await saving.save({ operations, message: `Policies deleted: ${names.join(", ")}` })) setSelected(new Set());
  };
  const filtered = Boolean(search.q || search.mode);
  return (
    <>
      <PageHeader
        title="Policies"
        about="How the WAF treats requests. Vhosts and their paths use them."
        actions={
          <LinkButton to="/policies/new" disabledReason={can("create", "policy").disabledReason}>
            New policy
          </LinkButton>
        }
      />
      <Group mb="sm">
        <SearchInput
          label="Search by name or title"
          value={search.q}
          onChange={(q) => void navigate({ search: (before) => ({ ...before, q }), replace: true })}
        />
        <Chip.Group
          multiple
          value={search.mode ?? []}
          onChange={(modes) =>
            void navigate({
              search: (before) => ({ ...before, mode: modes.length > 0 ? (modes as Mode[]) : undefined }),
              replace: true,
            })
          }
        >
          <Group gap={6} role="group" aria-label="Only these modes">
            {MODES.map(({ value, label }) => (
              <Chip key={value} value={value} size="xs">
                {label}
              </Chip>
            ))}
          </Group>
        </Chip.Group>
        <ActionButton
          variant="default"
          onClick={() => void remove()}
          loading={saving.busy}
          disabledReason={can("delete", "policy").disabledReason ?? (selected.size === 0 ? "Select the policies first." : undefined)}
        >
          Delete
        </ActionButton>
      </Group>
      {Boolean(saving.error) && <ProblemAlert error={saving.error} />}
      <DataTable
        label="Policies"
        columns={columns}
        pages={pages}
        rowKey={(policy) => policy.name}
        rowLink={(policy) => `/policies/${policy.name}`}
        sort={query.sort}
        onSort={(sort) => void navigate({ search: (before) => ({ ...before, sort: sort as typeof query.sort }), replace: true })}
        selection={{ selected, onChange: setSelected }}
        permission={can("read", "policy")}
        empty={
          filtered ? (
            <EmptyState title="No policy is like this">Search for less, or take the filter by mode away.</EmptyState>
          ) : (
            <EmptyState title="No policies yet">Begin with one that only detects, and let it block when you know what it finds.</EmptyState>
          )
        }
      />
    </>
  );
}
