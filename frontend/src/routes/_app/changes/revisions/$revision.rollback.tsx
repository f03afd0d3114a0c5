import { createFileRoute } from "@tanstack/react-router";
import { RollbackPage } from "@/features/changes/RollbackPage";
import { texts } from "@/lib/search";

export const Route = createFileRoute("/_app/changes/revisions/$revision/rollback")({
  validateSearch: (raw: Record<string, unknown>) => ({ objects: texts(raw, "objects") }),
  component: RollbackPage,
});
