import { Skeleton, Stack } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { ProblemAlert } from "./ProblemAlert";

/** One thing that is being read, could not be, or is there. */
export function Loaded<T>({ query, children }: { query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) return <ProblemAlert error={query.error} onRetry={() => void query.refetch()} />;
  return (
    <Stack role="group" aria-busy="true" aria-label="Loading">
      <Skeleton height={20} maw={400} />
      <Skeleton height={80} />
      <Skeleton height={80} />
    </Stack>
  );
}
