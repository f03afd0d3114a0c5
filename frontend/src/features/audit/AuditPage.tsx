import { type AuditRecord, listAudit } from "@guard-proxy/client";
import { Badge, Group, NumberInput, TagsInput, Text } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { useMe } from "@/auth/use-me";
import { ActionButton } from "@/components/ActionButton";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { FilterInput, MomentInput } from "@/components/FilterInput";
import { LinkButton } from "@/components/LinkButton";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { RelativeTime } from "@/components/RelativeTime";
import { SearchInput } from "@/components/SearchInput";
import { call } from "@/lib/api";
import { download } from "@/lib/download";
import { keys } from "@/lib/keys";
import { usePages } from "@/lib/use-pages";
import { VerifyModal } from "./VerifyModal";
import { ACTIONS, AUDIT_KINDS, flood, isBad, isOthers } from "./words";

const route = getRouteApi("/_app/audit/");

const columns: Column<AuditRecord>[] = [
  { id: "id", header: "Row", width: 80, cell: (row) => row.id },
  { id: "at", header: "When", width: 130, cell: (row) => <RelativeTime at={row.at} /> },
  { id: "author", header: "Who", width: 220, cell: (row) => <Who row={row} /> },
  { id: "action", header: "Did", width: 200, cell: (row) => <Did row={row} /> },
  { id: "object", header: "To", hideBelow: "sm", cell: (row) => <About row={row} /> },
  { id: "address", header: "From", width: 150, hideBelow: "md", cell: (row) => row.address },
  { id: "revision", header: "Revision", width: 90, hideBelow: "md", align: "right", cell: (row) => row.revision },
];

function Who({ row }: { row: AuditRecord }) {
  if (isOthers(row)) return <Text size="sm">others, from many sources</Text>;
  return (
    <Text size="sm" truncate maw={210} title={row.author}>
      {row.author}
    </Text>
  );
}

function Did({ row }: { row: AuditRecord }) {
  const sum = flood(row);
  return (
    <Group gap={6} wrap="wrap">
      <Badge variant="light" color={isBad(row.action) ? "red" : row.action === "delete" ? "orange" : "blue"} tt="none" miw="max-content">
        {row.action}
      </Badge>
      {sum && (
        <Badge variant="filled" color="red" tt="none">
          {sum.more} more
        </Badge>
      )}
    </Group>
  );
}

function About({ row }: { row: AuditRecord }) {
  return (
    <Text size="sm" lineClamp={1} style={{ overflowWrap: "anywhere" }} title={`${row.kind} ${row.name}`}>
      <Text span c="dimmed" inherit>
        {row.kind.replaceAll("_", " ")}
      </Text>{" "}
      {row.name}
    </Text>
  );
}

export function AuditPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { can } = useMe();
  const may = can("read", "audit");
  const query = { ...search, author: search.author ? [search.author] : undefined, object: search.object ? [search.object] : undefined };
  // A look without permission would be a row of its own in the log.
  const pages = usePages(
    keys.list("audit", query),
    (cursor, signal) => call(listAudit({ query: { ...query, limit: 100, cursor }, signal })),
    may.allowed,
  );
  const [verifying, setVerifying] = useState(false);
  const [exporting, setExporting] = useState(false);
  const [error, setError] = useState<unknown>();
  const set = (change: Partial<typeof search>) => void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const filtered = Object.values(search).some((value) => value !== undefined);

  const exportLines = async () => {
    setExporting(true);
    setError(undefined);
    try {
      const lines = await call(listAudit({ query: { ...query, format: "jsonl" }, parseAs: "blob" }));
      download(lines as unknown as Blob, "audit.jsonl");
    } catch (refused) {
      setError(refused);
    } finally {
      setExporting(false);
    }
  };

  return (
    <>
      <PageHeader
        title="Audit"
        about="Who did what, and when; newest first. Rows are a chain: what was changed in it is found."
        actions={
          <>
            <ActionButton variant="default" onClick={() => setVerifying(true)} disabledReason={may.disabledReason}>
              Verify
            </ActionButton>
            <ActionButton variant="default" onClick={() => void exportLines()} loading={exporting} disabledReason={may.disabledReason}>
              {filtered ? "Export these" : "Export all"}
            </ActionButton>
          </>
        }
      />
      <Group mb="sm" gap="xs" align="flex-end" role="search" aria-label="Filter the audit log">
        <SearchInput label="Search author, name, address, request id" value={search.q} onChange={(q) => set({ q })} />
        <FilterInput label="Author" placeholder="token:ci" value={search.author} onChange={(author) => set({ author })} width={160} />
        <Many label="Action" data={ACTIONS} value={search.action} onChange={(action) => set({ action })} />
        <Many label="Kind" data={AUDIT_KINDS} value={search.kind} onChange={(kind) => set({ kind })} />
        <FilterInput label="Object" placeholder="policy/shop" value={search.object} onChange={(object) => set({ object })} width={160} />
        <NumberInput
          label="Revision"
          size="xs"
          w={100}
          min={0}
          allowDecimal={false}
          hideControls
          value={search.revision ?? ""}
          onChange={(value) => set({ revision: typeof value === "number" ? value : undefined })}
        />
        <MomentInput label="From" value={search.at_gte} onChange={(at_gte) => set({ at_gte })} />
        <MomentInput label="Until" value={search.at_lt} onChange={(at_lt) => set({ at_lt })} />
      </Group>
      {Boolean(error) && <ProblemAlert error={error} />}
      <DataTable
        label="Audit log"
        columns={columns}
        pages={pages}
        rowKey={(row) => String(row.id)}
        rowLink={(row) => `/audit/${row.id}`}
        permission={may}
        empty={
          filtered ? (
            <EmptyState title="No row is like this" action={<LinkButton to="/audit">All rows</LinkButton>} />
          ) : (
            <EmptyState title="Nothing was done yet" />
          )
        }
      />
      {verifying && <VerifyModal onClose={() => setVerifying(false)} />}
    </>
  );
}

type ManyProps = { label: string; data: string[]; value: string[] | undefined; onChange: (value: string[] | undefined) => void };

/** Some of what is known, or anything that is typed. */
function Many({ label, data, value = [], onChange }: ManyProps) {
  return (
    <TagsInput
      label={label}
      size="xs"
      w={200}
      data={data}
      value={value}
      onChange={(next) => onChange(next.length ? next : undefined)}
      placeholder={value.length ? "" : "any"}
      clearable
      clearButtonProps={{ "aria-label": `Clear ${label}` }}
    />
  );
}
