import { Skeleton } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { lazy, Suspense } from "react";
import type { MergeProps } from "./code/Merge";

const Merge = lazy(() => import("./code/Merge"));

/** Two whole texts side by side; one below the other where it is narrow. For the server's unified diffs there is `UnifiedDiff`. */
export function CodeDiff(props: MergeProps) {
  const narrow = useMediaQuery("(max-width: 48em)");
  return (
    <Suspense fallback={<Skeleton height={200} />}>
      <Merge {...props} unified={props.unified ?? narrow ?? false} />
    </Suspense>
  );
}
