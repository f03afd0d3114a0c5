import { createFileRoute } from "@tanstack/react-router";
import { PolicyPage } from "@/features/policies/PolicyPage";
import { oneOf } from "@/lib/search";

type Search = { tab?: "settings" | "exclusions" | "rules" | "used" | undefined };

export const Route = createFileRoute("/_app/policies/$policy/")({
  validateSearch: (raw: Record<string, unknown>): Search => ({ tab: oneOf(raw, "tab", ["settings", "exclusions", "rules", "used"]) }),
  component: PolicyPage,
});
