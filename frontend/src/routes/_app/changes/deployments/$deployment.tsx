import { createFileRoute } from "@tanstack/react-router";
import { DeploymentPage } from "@/features/changes/DeploymentPage";

export const Route = createFileRoute("/_app/changes/deployments/$deployment")({ component: DeploymentPage });
