import { Group, NumberInput, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { FilterInput } from "@/components/FilterInput";
import { LinkButton } from "@/components/LinkButton";
import { Loaded } from "@/components/Loaded";
import { PageHeader } from "@/components/PageHeader";
import { useStatus } from "@/live/use-live";
import { DiffView } from "./DiffView";
import { betweenQuery } from "./queries";

const route = getRouteApi("/_app/changes/compare");

export function ComparePage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const head = useStatus().data?.head ?? 0;
  const to = search.to ?? head;
  const from = search.from ?? Math.max(to - 1, 0);
  const between = useQuery(betweenQuery(to, from, search.object));
  const set = (change: Partial<typeof search>) => void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const number = (name: "from" | "to") => (value: string | number) => typeof value === "number" && value >= 0 && set({ [name]: value });
  return (
    <>
      <PageHeader
        title={`From revision ${from} to ${to}`}
        parents={[{ label: "Changes", to: "/changes" }]}
        about="What differs between any two revisions, as it is in them: what came and went between is not shown."
        actions={
          <LinkButton to="/changes/compare" search={{ from: to, to: from, object: search.object }} variant="default">
            Turn round
          </LinkButton>
        }
      />
      <Group mb="md" gap="xs" align="flex-end">
        <NumberInput label="From" size="xs" w={110} min={0} max={head} value={from} onChange={number("from")} allowDecimal={false} />
        <NumberInput label="To" size="xs" w={110} min={0} max={head} value={to} onChange={number("to")} allowDecimal={false} />
        <FilterInput label="Object" placeholder="policies/shop" value={search.object} onChange={(object) => set({ object })} />
      </Group>
      <Loaded query={between}>
        {(diff) => (
          <>
            <Text size="sm" mb="sm" role="status">
              {diff.counts.created} new, {diff.counts.updated} changed, {diff.counts.deleted} deleted
            </Text>
            <DiffView diff={diff} />
          </>
        )}
      </Loaded>
    </>
  );
}
