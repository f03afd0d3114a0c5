import { createFileRoute } from "@tanstack/react-router";
import { IpListsPage } from "@/features/ip-lists/IpListsPage";
import { oneOf, text } from "@/lib/search";

export const Route = createFileRoute("/_app/ip-lists/")({
  validateSearch: (raw: Record<string, unknown>) => ({
    q: text(raw, "q"),
    sort: oneOf(raw, "sort", ["name", "-name", "updated_at", "-updated_at"]),
  }),
  component: IpListsPage,
});
