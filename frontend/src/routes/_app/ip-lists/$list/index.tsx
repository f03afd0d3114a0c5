import { createFileRoute } from "@tanstack/react-router";
import { IpListPage } from "@/features/ip-lists/IpListPage";
import { oneOf, text } from "@/lib/search";

/** `find`: an address, for what covers it, or text. */
type Search = { tab?: "entries" | "used" | "settings" | undefined; find?: string | undefined };

export const Route = createFileRoute("/_app/ip-lists/$list/")({
  validateSearch: (raw: Record<string, unknown>): Search => ({
    tab: oneOf(raw, "tab", ["entries", "used", "settings"]),
    find: text(raw, "find"),
  }),
  component: IpListPage,
});
