import type { Pages } from "./use-pages";

type Asked = { isPending: boolean; error: Error | null; refetch: () => unknown };

/** What comes whole, as a list that `DataTable` shows. */
export function asPages<T>(query: Asked, rows: T[]): Pages<T> {
  return {
    rows,
    total: rows.length,
    loading: query.isPending,
    stale: false,
    error: query.error,
    hasMore: false,
    loadingMore: false,
    more: () => {},
    again: () => void query.refetch(),
  };
}
