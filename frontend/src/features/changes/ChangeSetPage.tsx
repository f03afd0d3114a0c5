import type { ChangeSet } from "@guard-proxy/client";
import { Anchor, Stack, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMe } from "@/auth/use-me";
import { Facts } from "@/components/Facts";
import { Loaded } from "@/components/Loaded";
import { PageHeader } from "@/components/PageHeader";
import { RelativeTime } from "@/components/RelativeTime";
import { StatusBadge } from "@/components/StatusBadge";
import { Decided } from "./Decided";
import { OwnChangeSet } from "./OwnChangeSet";
import { changeSetQuery } from "./queries";
import { Review } from "./Review";
import { authorWords, countWords } from "./words";

const route = getRouteApi("/_app/changes/$changeSet");

/** One's own, to be mended and committed; or somebody else's, to be decided. */
export function ChangeSetPage() {
  const query = useQuery(changeSetQuery(route.useParams().changeSet));
  const { me } = useMe();
  const own = query.data !== undefined && query.data.author === me?.label;
  return (
    <>
      <PageHeader
        title={query.data?.message || "Change set"}
        parents={[
          { label: "Changes", to: "/changes" },
          own ? { label: "My change sets", to: "/changes/mine" } : { label: "To approve", to: "/changes/review" },
        ]}
      />
      <Loaded query={query}>
        {(changeSet) => (
          <Stack>
            <About changeSet={changeSet} />
            <Decided changeSet={changeSet} own={own} />
            {own ? <OwnChangeSet changeSet={changeSet} /> : me && <Review changeSet={changeSet} />}
          </Stack>
        )}
      </Loaded>
    </>
  );
}

function About({ changeSet }: { changeSet: ChangeSet }) {
  return (
    <section aria-labelledby="about">
      <Title order={2} size="h4" id="about" mb="xs">
        About it
      </Title>
      <Facts
        facts={[
          ["State", <StatusBadge key="state" state={changeSet.state} />],
          ["Author", authorWords(changeSet.author)],
          ["Changes", countWords(changeSet.counts)],
          ["Begun from", `revision ${changeSet.base}`],
          ["Goes back to", changeSet.rollback_to !== null && `revision ${changeSet.rollback_to}`],
          ["Touched", <RelativeTime key="at" at={changeSet.updated_at} />],
          [
            "Committed as",
            changeSet.revision && (
              <Anchor key="revision" component={Link} to={`/changes/revisions/${changeSet.revision}`} underline="always" inherit>
                revision {changeSet.revision}
              </Anchor>
            ),
          ],
        ]}
      />
    </section>
  );
}
