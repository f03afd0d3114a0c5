import { type Kind, listRevisions, type RevisionInfo } from "@guard-proxy/client";
import { Anchor, Group, MultiSelect, Text } from "@mantine/core";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { useMe } from "@/auth/use-me";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { FilterInput, MomentInput } from "@/components/FilterInput";
import { LinkButton } from "@/components/LinkButton";
import { PageHeader } from "@/components/PageHeader";
import { RelativeTime } from "@/components/RelativeTime";
import { StatusBadge } from "@/components/StatusBadge";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { KINDS, kindWords } from "@/lib/objects";
import { usePages } from "@/lib/use-pages";
import { useStatus } from "@/live/use-live";
import { ChangesNav } from "./ChangesNav";
import { approvedBy, authorWords, countWords, originWords } from "./words";

const route = getRouteApi("/_app/changes/");

export function HistoryPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { can } = useMe();
  const status = useStatus().data;
  const query = {
    ...search,
    author: search.author ? [search.author] : undefined,
    object: search.object ? [search.object] : undefined,
    limit: 100,
  };
  const pages = usePages(keys.list("revisions", query), (cursor, signal) => call(listRevisions({ query: { ...query, cursor }, signal })));
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const set = (change: Partial<typeof search>) => void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const { object } = search;

  const pair = [...selected].map(Number).sort((a, b) => a - b);
  const columns = useMemo(() => {
    // What was taken back names what it took back; it is newer, so it is among the rows.
    const takenBack = pages.rows.flatMap(({ origin }) => (origin.kind === "take_back" ? origin.revisions : []));
    const refused = [...(status?.refused ?? []).map((one) => one.revision), ...takenBack];
    return columnsWith(status?.live, refused, object);
  }, [status, pages.rows, object]);
  const filtered = Object.values(search).some((value) => value !== undefined);
  return (
    <>
      <PageHeader
        title={object ? `History of ${object}` : "Changes"}
        {...(object && { parents: [{ label: "Changes", to: "/changes" }] })}
        about={
          object ? (
            <>
              All revisions that changed it, also those of one that had the name before.{" "}
              <Anchor component={Link} to={`/${object}`} underline="always" inherit>
                As it is now
              </Anchor>
            </>
          ) : (
            "Every change is a revision: numbered, kept, and never changed again."
          )
        }
        actions={
          <LinkButton
            to="/changes/compare"
            search={{ from: pair[0], to: pair[1], object }}
            variant="default"
            disabledReason={pair.length === 2 ? undefined : "Select two revisions first."}
          >
            Compare
          </LinkButton>
        }
      />
      <ChangesNav />
      <Group mb="sm" gap="xs" align="flex-end" role="search" aria-label="Filter revisions">
        <FilterInput label="Author" placeholder="user:ada@example.com" value={search.author} onChange={(author) => set({ author })} />
        <MultiSelect
          label="Kind"
          size="xs"
          w={190}
          data={KINDS.map((value) => ({ value, label: kindWords(value) }))}
          value={search.kind ?? []}
          onChange={(kind) => set({ kind: kind.length ? (kind as Kind[]) : undefined })}
          placeholder={search.kind ? "" : "any"}
          clearable
          clearButtonProps={{ "aria-label": "Clear Kind" }}
        />
        <FilterInput label="Object" placeholder="policies/shop" value={object} onChange={(next) => set({ object: next })} />
        <MomentInput label="From" value={search.created_at_gte} onChange={(created_at_gte) => set({ created_at_gte })} />
        <MomentInput label="Until" value={search.created_at_lt} onChange={(created_at_lt) => set({ created_at_lt })} />
      </Group>
      <DataTable
        label="Revisions"
        columns={columns}
        pages={pages}
        rowKey={(revision) => String(revision.number)}
        rowLink={(revision) => `/changes/revisions/${revision.number}`}
        selection={{ selected, onChange: setSelected }}
        permission={can("read", "revision")}
        empty={
          filtered ? (
            <EmptyState title="No revision is like this" action={<LinkButton to="/changes">All revisions</LinkButton>} />
          ) : (
            <EmptyState title="Nothing was changed yet">The first vhost makes the first revision.</EmptyState>
          )
        }
      />
    </>
  );
}

function columnsWith(live: number | undefined, refused: number[], object: string | undefined): Column<RevisionInfo>[] {
  return [
    { id: "number", header: "Revision", width: 90, cell: ({ number }) => number },
    {
      id: "what",
      header: "What",
      cell: (revision) => <What revision={revision} />,
    },
    { id: "author", header: "Author", width: 200, hideBelow: "sm", cell: (revision) => <Author revision={revision} /> },
    { id: "created", header: "When", width: 130, hideBelow: "xs", cell: ({ created_at }) => <RelativeTime at={created_at} /> },
    {
      id: "state",
      header: "State",
      width: 110,
      cell: ({ number }) =>
        refused.includes(number) ? (
          <StatusBadge state="refused" />
        ) : live === undefined ? null : number === live ? (
          <StatusBadge state="live" />
        ) : number > live ? (
          <StatusBadge state="on its way" />
        ) : null,
    },
    ...(object
      ? [
          {
            id: "back",
            header: "",
            width: 120,
            hideBelow: "sm" as const,
            cell: ({ number }: RevisionInfo) => (
              <Anchor component={Link} to={`/changes/revisions/${number}/rollback`} search={{ objects: [object] } as never} size="sm">
                Back to this
              </Anchor>
            ),
          },
        ]
      : []),
  ];
}

const NAMED = 3;

function What({ revision }: { revision: RevisionInfo }) {
  const { message, counts, changes, origin } = revision;
  const named = changes.slice(0, NAMED).map(({ kind, name }) => `${kindWords(kind)} ${name}`);
  const total = counts.created + counts.updated + counts.deleted;
  const special = origin.kind === "take_back" || origin.kind === "rollback";
  return (
    <>
      <Text size="sm" lineClamp={2} style={{ overflowWrap: "anywhere" }}>
        {special && <b>{originWords(origin)}. </b>}
        {message || (!special && `${countWords(counts)}`)}
      </Text>
      <Text size="xs" c="dimmed" lineClamp={1} style={{ overflowWrap: "anywhere" }}>
        {total === 0 ? "nothing that you may see" : named.join(", ")}
        {total > NAMED && ` and ${total - NAMED} more`}
      </Text>
    </>
  );
}

function Author({ revision }: { revision: RevisionInfo }) {
  const by = approvedBy(revision.origin);
  return (
    <>
      <Text size="sm" truncate title={revision.author} c={revision.author ? undefined : "dimmed"}>
        {authorWords(revision.author)}
      </Text>
      {by && (
        <Text size="xs" c="dimmed" truncate title={by}>
          approved by {authorWords(by)}
        </Text>
      )}
    </>
  );
}
