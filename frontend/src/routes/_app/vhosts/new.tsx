import { createFileRoute } from "@tanstack/react-router";
import { NewVhostPage } from "@/features/vhosts/NewVhostPage";
import { text } from "@/lib/search";

export const Route = createFileRoute("/_app/vhosts/new")({
  validateSearch: (raw: Record<string, unknown>): { from?: string | undefined } => ({ from: text(raw, "from") }),
  component: NewVhostPage,
});
