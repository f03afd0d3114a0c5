import { createFileRoute } from "@tanstack/react-router";
import { AuditPage } from "@/features/audit/AuditPage";
import { count, moment, text, texts } from "@/lib/search";

export const Route = createFileRoute("/_app/audit/")({
  validateSearch: (raw: Record<string, unknown>) => ({
    q: text(raw, "q"),
    author: text(raw, "author"),
    action: texts(raw, "action"),
    kind: texts(raw, "kind"),
    object: text(raw, "object"),
    revision: count(raw, "revision"),
    at_gte: moment(raw, "at_gte"),
    at_lt: moment(raw, "at_lt"),
  }),
  component: AuditPage,
});
