import { createFileRoute } from "@tanstack/react-router";
import { ChangeSetPage } from "@/features/changes/ChangeSetPage";

export const Route = createFileRoute("/_app/changes/$changeSet")({ component: ChangeSetPage });
