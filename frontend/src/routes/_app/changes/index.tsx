import { createFileRoute } from "@tanstack/react-router";
import { HistoryPage } from "@/features/changes/HistoryPage";
import { KINDS } from "@/lib/objects";
import { moment, someOf, text } from "@/lib/search";

export const Route = createFileRoute("/_app/changes/")({
  validateSearch: (raw: Record<string, unknown>) => ({
    author: text(raw, "author"),
    kind: someOf(raw, "kind", KINDS),
    object: text(raw, "object"),
    created_at_gte: moment(raw, "created_at_gte"),
    created_at_lt: moment(raw, "created_at_lt"),
  }),
  component: HistoryPage,
});
