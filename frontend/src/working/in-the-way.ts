import type { FieldError } from "@guard-proxy/client";
import { queryOptions, skipToken } from "@tanstack/react-query";
import { keys } from "@/lib/keys";

/** What the change set that one works in would be refused for, as of the last save: saving plans it. */
export const inTheWay = (changeSet: string) =>
  queryOptions<FieldError[]>({ queryKey: keys.one("plans", changeSet, "errors"), queryFn: skipToken, staleTime: Number.POSITIVE_INFINITY });
