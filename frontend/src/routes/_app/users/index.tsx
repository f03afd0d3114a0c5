import { createFileRoute } from "@tanstack/react-router";
import { UsersPage } from "@/features/access/UsersPage";
import { text } from "@/lib/search";

export const Route = createFileRoute("/_app/users/")({
  validateSearch: (raw: Record<string, unknown>) => ({ q: text(raw, "q") }),
  component: UsersPage,
});
