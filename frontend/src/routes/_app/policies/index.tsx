import { createFileRoute } from "@tanstack/react-router";
import { PoliciesPage } from "@/features/policies/PoliciesPage";
import { oneOf, someOf, text } from "@/lib/search";

type Search = {
  q?: string | undefined;
  mode?: ("off" | "detect" | "block")[] | undefined;
  sort?: "name" | "-name" | "updated_at" | "-updated_at" | undefined;
};

export const Route = createFileRoute("/_app/policies/")({
  validateSearch: (raw: Record<string, unknown>): Search => ({
    q: text(raw, "q"),
    mode: someOf(raw, "mode", ["off", "detect", "block"]),
    sort: oneOf(raw, "sort", ["name", "-name", "updated_at", "-updated_at"]),
  }),
  component: PoliciesPage,
});
