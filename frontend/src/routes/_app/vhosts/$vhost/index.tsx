import { createFileRoute } from "@tanstack/react-router";
import { TABS, type Tab } from "@/features/vhosts/tabs";
import { VhostPage } from "@/features/vhosts/VhostPage";

export const Route = createFileRoute("/_app/vhosts/$vhost/")({
  validateSearch: (raw: Record<string, unknown>): { tab?: Tab | undefined } => ({
    tab: TABS.find(({ value }) => value === raw.tab)?.value,
  }),
  component: VhostPage,
});
