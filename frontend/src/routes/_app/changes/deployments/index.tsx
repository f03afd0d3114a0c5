import { createFileRoute } from "@tanstack/react-router";
import { DeploymentsPage } from "@/features/changes/DeploymentsPage";
import { DEPLOYMENT_STATES } from "@/features/changes/words";
import { someOf } from "@/lib/search";

export const Route = createFileRoute("/_app/changes/deployments/")({
  validateSearch: (raw: Record<string, unknown>) => ({ state: someOf(raw, "state", DEPLOYMENT_STATES) }),
  component: DeploymentsPage,
});
