import { createFileRoute } from "@tanstack/react-router";
import { NewPolicyPage } from "@/features/policies/NewPolicyPage";
import { text } from "@/lib/search";

export const Route = createFileRoute("/_app/policies/new")({
  /** `copy`: the policy to begin with. */
  validateSearch: (raw: Record<string, unknown>): { copy?: string | undefined } => ({ copy: text(raw, "copy") }),
  component: NewPolicyPage,
});
