import { Skeleton } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useLocation, useNavigate } from "@tanstack/react-router";
import { type ReactNode, useEffect, useMemo, useRef } from "react";
import { Limits } from "@/auth/limits";
import { meQuery } from "@/auth/use-me";
import { changeSetQuery, stagedQuery } from "@/features/changes/queries";
import { keys, OBJECTS } from "@/lib/keys";
import { objectOf, reference } from "@/lib/objects";
import { frozen, left, limit } from "./can-take";
import { WorkingBar } from "./WorkingBar";

export { stageIn } from "./stage-in";

/**
 * Every page of those who work in a change set. It is drawn when the change set is there: what one that is gone answers about objects is not
 * what a page should tell. One that ends, wherever that is done, or that is not the reader's, is left here and nowhere else.
 */
export default function Working({ id, children }: { id: string; children: ReactNode }) {
  const query = useQuery(changeSetQuery(id));
  const mine = useQuery(meQuery);
  const [changeSet, me] = [query.data, mine.data];
  const leave = useLeave(id);
  const why = left(changeSet, me, query.error);
  const { pathname } = useLocation();

  // At each page anew: whoever stays for the sake of a form goes on to another page at last.
  // biome-ignore lint/correctness/useExhaustiveDependencies: leaving is another function at each drawing
  useEffect(() => {
    if (why) void leave(why);
  }, [why, pathname]);
  useNewest(changeSet?.version);
  const reason = changeSet && me && frozen(changeSet, me);
  const limits = useMemo(() => limit(reason), [reason]);

  return (
    <>
      <WorkingBar
        id={id}
        changeSet={changeSet}
        me={me}
        ended={why !== undefined}
        error={why ? null : (query.error ?? mine.error)}
        again={() => {
          void query.refetch();
          void mine.refetch();
        }}
        leave={() => void leave()}
      />
      {changeSet && me ? (
        <Limits value={limits}>{children}</Limits>
      ) : (
        <Skeleton height={320} role="group" aria-busy="true" aria-label="Loading" />
      )}
    </>
  );
}

/** The same page without the change set; the list of its kind where what it shows is nowhere else. */
function useLeave(id: string) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const object = objectOf(useLocation().pathname);
  return async (why?: string) => {
    const changeSet = queries.getQueryData(changeSetQuery(id).queryKey);
    const replace = why !== undefined;
    if (object && changeSet && changeSet.state !== "committed" && (await isNew(object, id, changeSet.version)))
      await navigate({ to: `/${object.split("/")[0]}`, search: { change_set: undefined } as never, replace });
    else await navigate({ to: ".", search: (search: object) => ({ ...search, change_set: undefined }) as never, replace });
    // Not before it is so: a form with unsaved work may keep its page.
    if (why) notifications.show({ id: `left ${id}`, color: "blue", title: "You are in the change set no more", message: why });
  };

  async function isNew(name: string, changeSet: string, version: number) {
    try {
      const { changes } = await queries.fetchQuery(stagedQuery(changeSet, version));
      return changes.some((one) => one.change === "created" && reference(one.kind, one.name) === name);
    } catch {
      return false;
    }
  }
}

/** What is staged elsewhere (another tab, a script) is to be seen here, too. */
function useNewest(version: number | undefined) {
  const queries = useQueryClient();
  const seen = useRef<number>(undefined);
  useEffect(() => {
    if (seen.current !== undefined && seen.current !== version)
      for (const resource of OBJECTS) void queries.invalidateQueries({ queryKey: keys.all(resource) });
    seen.current = version;
  }, [queries, version]);
}
