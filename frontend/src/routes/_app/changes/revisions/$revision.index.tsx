import { createFileRoute } from "@tanstack/react-router";
import { RevisionPage } from "@/features/changes/RevisionPage";

export const Route = createFileRoute("/_app/changes/revisions/$revision/")({ component: RevisionPage });
