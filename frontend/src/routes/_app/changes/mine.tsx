import { createFileRoute } from "@tanstack/react-router";
import { ChangeSetsPage } from "@/features/changes/ChangeSetsPage";
import { CHANGE_SET_STATES } from "@/features/changes/words";
import { someOf } from "@/lib/search";

export const Route = createFileRoute("/_app/changes/mine")({
  validateSearch: (raw: Record<string, unknown>) => ({ state: someOf(raw, "state", CHANGE_SET_STATES) }),
  component: ChangeSetsPage,
});
