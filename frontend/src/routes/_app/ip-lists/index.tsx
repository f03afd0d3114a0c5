import { createFileRoute } from "@tanstack/react-router";
import { IpListsPage } from "@/features/ip-lists/IpListsPage";
import { oneOf, text } from "@/lib/search";

type Search = { q?: string | undefined; sort?: "name" | "-name" | "updated_at" | "-updated_at" | undefined };

export const Route = createFileRoute("/_app/ip-lists/")({
  validateSearch: (raw: Record<string, unknown>): Search => ({
    q: text(raw, "q"),
    sort: oneOf(raw, "sort", ["name", "-name", "updated_at", "-updated_at"]),
  }),
  component: IpListsPage,
});
