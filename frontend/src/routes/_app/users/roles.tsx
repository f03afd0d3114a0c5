import { createFileRoute } from "@tanstack/react-router";
import { RolesPage } from "@/features/access/RolesPage";

export const Route = createFileRoute("/_app/users/roles")({ component: RolesPage });
