import { listVhosts } from "@guard-proxy/client";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { type Use, type User, usesOf } from "./users";

const PAGE = 500;
/** So many vhosts are looked at unasked: some ten thousand are a lot to send for a page that is only read. */
const UNASKED = 2_000;

/** Who uses something. The server has no filter by lists and by the policies of paths, so vhosts are looked through here. */
export function useUsers(pick: (vhosts: User[]) => Use[]) {
  const query = useInfiniteQuery({
    queryKey: keys.list("vhosts", { uses: true }),
    queryFn: async ({ pageParam: cursor, signal }) => {
      const { items, next_cursor, total } = await call(listVhosts({ query: { limit: PAGE, sort: "name", cursor }, signal }));
      return { vhosts: items.map(usesOf), next_cursor, total };
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    staleTime: 60_000,
  });
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  const vhosts = useMemo(() => data?.pages.flatMap((page) => page.vhosts) ?? [], [data]);
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && vhosts.length < UNASKED) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, vhosts.length, fetchNextPage]);

  return {
    users: pick(vhosts),
    looked: vhosts.length,
    total: data?.pages[0]?.total ?? 0,
    loading: query.isPending,
    /** Not all vhosts were looked at yet. */
    partly: hasNextPage,
    busy: isFetchingNextPage,
    more: () => void fetchNextPage(),
    error: query.error,
    again: () => void query.refetch(),
  };
}

export type Users = ReturnType<typeof useUsers>;

/** Why it cannot be deleted, as far as is known here; the server knows all. */
export function inUse({ users }: Users): string | undefined {
  if (users.length === 0) return undefined;
  const names = users.slice(0, 5).map(({ vhost }) => vhost.name);
  const more = users.length > names.length ? ` and ${users.length - names.length} more` : "";
  return `Used by ${names.join(", ")}${more}.`;
}
