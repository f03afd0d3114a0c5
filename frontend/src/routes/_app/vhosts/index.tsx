import { createFileRoute } from "@tanstack/react-router";
import { vhostSearch } from "@/features/vhosts/search";
import { VhostsPage } from "@/features/vhosts/VhostsPage";

export const Route = createFileRoute("/_app/vhosts/")({ validateSearch: vhostSearch, component: VhostsPage });
