import type { ExclusionRepresentation, PolicyRepresentation } from "@guard-proxy/client";
import { Group, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { useSaving } from "@/change/use-saving";
import { ActionButton } from "@/components/ActionButton";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { LinkButton } from "@/components/LinkButton";
import { ProblemAlert } from "@/components/ProblemAlert";
import { RelativeTime } from "@/components/RelativeTime";
import { SearchInput } from "@/components/SearchInput";
import { StatusBadge } from "@/components/StatusBadge";
import { asPages } from "@/lib/as-pages";
import { isExpired, ruleWords } from "./exclusion";
import { exclusionsQuery } from "./policy";

const columns: Column<ExclusionRepresentation>[] = [
  { id: "id", header: "Id", cell: (one) => one.id },
  { id: "rule", header: "Takes out", cell: (one) => ruleWords(one.rule) },
  { id: "target", header: "Target", hideBelow: "sm", cell: (one) => one.target ?? <Dim>all</Dim> },
  { id: "path", header: "Path", hideBelow: "md", cell: (one) => one.path?.prefix ?? <Dim>all</Dim> },
  { id: "reason", header: "Reason", hideBelow: "md", cell: (one) => one.reason },
  { id: "owner", header: "Owner", hideBelow: "lg", cell: (one) => one.owner },
  {
    id: "expires",
    header: "Expires",
    hideBelow: "sm",
    width: 150,
    cell: (one) => <RelativeTime at={one.expires_at} />,
  },
  {
    id: "state",
    header: "State",
    width: 110,
    cell: (one) =>
      isExpired(one.expires_at) ? <StatusBadge state="expired" /> : one.enabled ? "in force" : <StatusBadge state="disabled" />,
  },
];

function Dim({ children }: { children: string }) {
  return (
    <Text span size="sm" c="dimmed">
      {children}
    </Text>
  );
}

export function ExclusionList({ policy }: { policy: PolicyRepresentation }) {
  const { can } = useMe();
  const query = useQuery(exclusionsQuery(policy.name));
  const saving = useSaving({ resource: "policies", root: `/policies/${policy.name}` });
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [text, setText] = useState("");
  // All of them come at once, a thousand at most: looked through here.
  const rows = (query.data ?? []).filter((one) => matches(one, text.toLowerCase()));
  const chosen = rows.filter((one) => selected.has(one.id));
  const none = selected.size === 0 ? "Select the exclusions first." : undefined;
  const root = `/policies/${policy.name}/exclusions`;

  const remove = async () => {
    const operations = chosen.map((one) => ({ method: "DELETE" as const, path: `${root}/${one.id}`, if_match: one.meta.etag }));
    await run(operations, "deleted");
  };
  const enable = async (enabled: boolean) => {
    const operations = chosen.map((one) => ({
      method: "PATCH" as const,
      path: `${root}/${one.id}`,
      value: { enabled },
      if_match: one.meta.etag,
    }));
    await run(operations, enabled ? "enabled" : "disabled");
  };
  const run = async (operations: Parameters<typeof saving.save>[0]["operations"], what: string) => {
    const message = `Policy ${policy.name}: exclusions ${what}: ${chosen.map(({ id }) => id).join(", ")}`.slice(0, 500);
    if (await saving.save({ operations, message })) setSelected(new Set());
  };
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">
        What the rules of this policy do not look at. The smaller an exclusion is, the less gets through by it: name a target and a path
        where you can. What has expired is kept, and not in force.
      </Text>
      <Group>
        <SearchInput label="Search in exclusions" value={text} onChange={(next) => setText(next ?? "")} />
        <LinkButton to={`/policies/${policy.name}/new-exclusion`} disabledReason={can("create", "exclusion").disabledReason}>
          New exclusion
        </LinkButton>
        <ActionButton
          variant="default"
          onClick={() => void enable(false)}
          disabledReason={can("update", "exclusion").disabledReason ?? none}
          loading={saving.busy}
        >
          Disable
        </ActionButton>
        <ActionButton
          variant="default"
          onClick={() => void enable(true)}
          disabledReason={can("update", "exclusion").disabledReason ?? none}
          loading={saving.busy}
        >
          Enable
        </ActionButton>
        <ActionButton
          variant="default"
          onClick={() => void remove()}
          disabledReason={can("delete", "exclusion").disabledReason ?? none}
          loading={saving.busy}
        >
          Delete
        </ActionButton>
      </Group>
      {Boolean(saving.error) && <ProblemAlert error={saving.error} />}
      <DataTable
        label="Exclusions"
        columns={columns}
        pages={asPages(query, rows)}
        rowKey={(one) => one.id}
        rowLink={(one) => `${root}/${one.id}`}
        selection={{ selected, onChange: setSelected }}
        permission={can("read", "exclusion")}
        empty={
          text ? (
            <EmptyState title="No exclusion has this in it" />
          ) : (
            <EmptyState title="No exclusions">They come when a rule takes good requests for attacks.</EmptyState>
          )
        }
      />
    </Stack>
  );
}

function matches(one: ExclusionRepresentation, text: string): boolean {
  const all = [one.id, ruleWords(one.rule), one.target, one.path?.prefix, one.reason, one.owner];
  return all.some((part) => part?.toLowerCase().includes(text));
}
