import { type ChangeSet, type ChangeSetState, createChangeSet, listChangeSets } from "@guard-proxy/client";
import { MultiSelect, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useMe } from "@/auth/use-me";
import { ActionButton } from "@/components/ActionButton";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { PageHeader } from "@/components/PageHeader";
import { ProblemAlert } from "@/components/ProblemAlert";
import { RelativeTime } from "@/components/RelativeTime";
import { StatusBadge } from "@/components/StatusBadge";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { usePages } from "@/lib/use-pages";
import { ChangesNav } from "./ChangesNav";
import { authorWords, CHANGE_SET_STATES, countWords } from "./words";

const route = getRouteApi("/_app/changes/mine");

/** What can still become something: the ends are asked for by name. */
const UNDER_WAY: ChangeSetState[] = ["open", "awaiting_approval", "approved", "refused"];

const label: Column<ChangeSet> = {
  id: "message",
  header: "Message",
  cell: (one) => one.message || `begun at revision ${one.base}`,
};
const what: Column<ChangeSet> = { id: "what", header: "Changes", width: 170, hideBelow: "sm", cell: (one) => countWords(one.counts) };
const updated: Column<ChangeSet> = {
  id: "updated",
  header: "Touched",
  width: 130,
  hideBelow: "xs",
  cell: (one) => <RelativeTime at={one.updated_at} />,
};

const columns: Column<ChangeSet>[] = [
  label,
  { id: "state", header: "State", width: 150, cell: (one) => <StatusBadge state={one.state} /> },
  {
    id: "why",
    header: "Said of it",
    hideBelow: "md",
    cell: (one) => (
      <Text size="sm" lineClamp={2} style={{ overflowWrap: "anywhere" }}>
        {saidOf(one)}
      </Text>
    ),
  },
  what,
  updated,
];

/** The engine's words, or those of who decided. */
function saidOf({ state, refusal, approval }: ChangeSet): string {
  if (state === "refused") return refusal?.said || refusal?.errors[0]?.detail || "";
  const decision = approval?.decision;
  if (!decision) return "";
  const who = `${decision.approved ? "approved" : "rejected"} by ${authorWords(decision.by)}`;
  return decision.reason ? `${who}: ${decision.reason}` : who;
}

export const toReviewColumns: Column<ChangeSet>[] = [
  label,
  { id: "author", header: "Author", width: 200, cell: (one) => authorWords(one.author) },
  { id: "vhosts", header: "Protected vhosts", hideBelow: "sm", cell: (one) => one.approval?.vhosts.join(", ") },
  what,
  {
    id: "since",
    header: "Waits since",
    width: 130,
    hideBelow: "xs",
    cell: (one) => <RelativeTime at={one.approval?.requested_at ?? one.updated_at} />,
  },
];

export function ChangeSetsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { can } = useMe();
  const queries = useQueryClient();
  const begin = useMutation({
    mutationFn: () => call(createChangeSet({ body: {} })),
    onSuccess: async ({ id }) => {
      void queries.invalidateQueries({ queryKey: keys.all("change-sets") });
      await navigate({ to: "/changes/$changeSet", params: { changeSet: id }, search: { change_set: id } });
    },
  });
  const query = { state: search.state ?? UNDER_WAY, limit: 100 };
  const pages = usePages(keys.list("change-sets", query), (cursor, signal) =>
    call(listChangeSets({ query: { ...query, cursor }, signal })),
  );
  return (
    <>
      <PageHeader
        title="My change sets"
        about="Writes that are kept together until they are committed as one revision. Nobody else sees them before."
        actions={
          <ActionButton
            loading={begin.isPending}
            onClick={() => begin.mutate()}
            disabledReason={can("create", "change_set").disabledReason}
          >
            New change set
          </ActionButton>
        }
      />
      <ProblemAlert error={begin.error} />
      <ChangesNav />
      <MultiSelect
        label="State"
        size="xs"
        maw={480}
        mb="sm"
        data={CHANGE_SET_STATES.map((value) => ({ value, label: value.replace("_", " ") }))}
        value={search.state ?? []}
        onChange={(next) => void navigate({ search: { state: next.length ? (next as ChangeSetState[]) : undefined }, replace: true })}
        placeholder={search.state ? "" : "all that are under way"}
        clearable
        clearButtonProps={{ "aria-label": "Clear State" }}
      />
      <DataTable
        label="Change sets"
        columns={columns}
        pages={pages}
        rowKey={(one) => one.id}
        rowLink={(one) => `/changes/${one.id}`}
        permission={can("read", "change_set")}
        empty={
          <EmptyState title={search.state ? "None is in that state" : "No change sets are under way"}>
            Whatever you save can be added to one, instead of being applied at once. Or begin one, and work in it.
          </EmptyState>
        }
      />
    </>
  );
}
