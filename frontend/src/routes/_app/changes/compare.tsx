import { createFileRoute } from "@tanstack/react-router";
import { ComparePage } from "@/features/changes/ComparePage";
import { count, text } from "@/lib/search";

export const Route = createFileRoute("/_app/changes/compare")({
  validateSearch: (raw: Record<string, unknown>) => ({ from: count(raw, "from"), to: count(raw, "to"), object: text(raw, "object") }),
  component: ComparePage,
});
