import { createFileRoute } from "@tanstack/react-router";
import { ImportPage } from "@/features/ip-lists/ImportPage";

/** `replace`: all entries that are there, instead of adding to them. */
export const Route = createFileRoute("/_app/ip-lists/$list/import")({
  validateSearch: (raw: Record<string, unknown>): { replace?: boolean | undefined } => ({ replace: raw.replace === true || undefined }),
  component: ImportPage,
});
