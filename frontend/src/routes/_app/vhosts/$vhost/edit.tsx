import { createFileRoute } from "@tanstack/react-router";
import { EditVhostPage } from "@/features/vhosts/EditVhostPage";

export const Route = createFileRoute("/_app/vhosts/$vhost/edit")({ component: EditVhostPage });
