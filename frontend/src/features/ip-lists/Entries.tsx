import { type EntryRepresentation, type IpListRepresentation, listEntries } from "@guard-proxy/client";
import { ActionIcon, Badge, Group, Stack, Text } from "@mantine/core";
import { IconPencil } from "@tabler/icons-react";
import { useMemo, useState } from "react";
import { useMe } from "@/auth/use-me";
import { ActionButton } from "@/components/ActionButton";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { LinkButton } from "@/components/LinkButton";
import { ProblemAlert } from "@/components/ProblemAlert";
import { RelativeTime } from "@/components/RelativeTime";
import { SearchInput } from "@/components/SearchInput";
import { StatusBadge } from "@/components/StatusBadge";
import type { Users } from "@/features/used/use-users";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { covers, isNetwork } from "@/lib/network";
import { usePages } from "@/lib/use-pages";
import { EntryForm } from "./EntryForm";
import { readOnly } from "./ip-list";
import { useLockOut } from "./lock-out";
import { ThisIsYou } from "./ThisIsYou";
import { useEntrySaving } from "./use-entry-saving";

type Props = { list: IpListRepresentation; users: Users; find: string | undefined; onFind: (find: string | undefined) => void };

export function Entries({ list, users, find, onFind }: Props) {
  const { can } = useMe();
  // A whole address asks who covers it; any other text is looked for as text.
  const asked = find?.trim();
  const covering = asked && isNetwork(asked) ? asked : undefined;
  const query = { contains: covering, q: covering ? undefined : asked, limit: 200 };
  const path = { ip_list: list.name };
  const pages = usePages(keys.one("ip-lists", list.name, "entries", query), (cursor, signal) =>
    call(listEntries({ path, query: { ...query, cursor }, signal })),
  );
  const saving = useEntrySaving(list);
  const lockOut = useLockOut(users);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [editing, setEditing] = useState<EntryRepresentation>();
  const [left, setLeft] = useState(true);
  const fixed = readOnly(list);
  const { address } = lockOut;
  const editable = !fixed && can("update", "entry").allowed;
  const columns = useMemo(() => columnsWith(address, editable, setEditing), [address, editable]);

  const select = (next: ReadonlySet<string>) => {
    setSelected(next);
    setLeft(true);
    if (!address || ![...next].some((network) => covers(network, address))) return;
    // Others that cover the caller may stay: the server knows all of them.
    void call(listEntries({ path, query: { contains: address, limit: 500 } })).then(({ items }) =>
      setLeft(items.some((entry) => !entry.expired && !next.has(entry.network))),
    );
  };
  const remove = async () => {
    const gone = [...selected];
    const message = `IP list ${list.name}: ${gone.length === 1 ? `${gone[0]} removed` : `${gone.length} entries removed`}`;
    if (await saving.batch({ add: [], remove: gone }, message)) select(new Set());
  };
  const may = fixed ?? can("create", "entry").disabledReason;
  const importing = `/ip-lists/${list.name}/import`;
  return (
    <Stack gap="sm">
      {fixed && <Text size="sm">{fixed}</Text>}
      <EntryForm
        key={editing?.network}
        list={list}
        entry={editing}
        lockOut={lockOut}
        disabledReason={may}
        onDone={() => setEditing(undefined)}
      />
      <Group>
        <SearchInput label="An address, or text" value={find} onChange={onFind} />
        <LinkButton variant="default" to={importing} disabledReason={may}>
          Paste many
        </LinkButton>
        <LinkButton variant="default" to={importing} search={{ replace: true }} disabledReason={may}>
          Replace all
        </LinkButton>
        <ActionButton
          variant="default"
          loading={saving.busy}
          onClick={() => void remove()}
          disabledReason={fixed ?? can("delete", "entry").disabledReason ?? (selected.size === 0 ? "Select the entries first." : undefined)}
        >
          Remove
        </ActionButton>
      </Group>
      {covering && (
        <Text size="sm" c="dimmed">
          Entries that cover {covering}.
        </Text>
      )}
      <ThisIsYou words={lockOut.byRemoving([...selected], left)} />
      {Boolean(saving.error) && <ProblemAlert error={saving.error} />}
      {saving.confirm}
      <DataTable
        label={`Entries of ${list.name}`}
        columns={columns}
        pages={pages}
        rowKey={(entry) => entry.network}
        selection={{ selected, onChange: select }}
        permission={can("read", "entry")}
        empty={
          covering ? (
            <EmptyState title={`Nothing here covers ${covering}`} />
          ) : find ? (
            <EmptyState title="No entry has this in its network or comment" />
          ) : (
            <EmptyState title="No entries yet">Add one above, or paste many: a network on each line.</EmptyState>
          )
        }
      />
    </Stack>
  );
}

function columnsWith(
  address: string | undefined,
  editable: boolean,
  onEdit: (entry: EntryRepresentation) => void,
): Column<EntryRepresentation>[] {
  return [
    {
      id: "network",
      header: "Network",
      width: "30%",
      cell: (entry) => (
        <Group gap={6}>
          <Text size="sm" ff="monospace">
            {entry.network}
          </Text>
          {address && covers(entry.network, address) && (
            <Badge color="blue" variant="light" tt="none">
              this is you
            </Badge>
          )}
        </Group>
      ),
    },
    { id: "comment", header: "Comment", hideBelow: "xs", cell: (entry) => entry.comment },
    {
      id: "expires",
      header: "Expires",
      width: 220,
      cell: (entry) => (
        <Group gap={6}>
          <RelativeTime at={entry.expires_at} />
          {entry.expired && <StatusBadge state="expired" />}
        </Group>
      ),
    },
    {
      id: "edit",
      header: "Edit",
      width: 60,
      cell: (entry) => (
        <ActionIcon variant="subtle" aria-label={`Edit ${entry.network}`} disabled={!editable} onClick={() => onEdit({ ...entry })}>
          <IconPencil size={16} aria-hidden />
        </ActionIcon>
      ),
    },
  ];
}
