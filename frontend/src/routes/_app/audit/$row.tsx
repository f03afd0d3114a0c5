import { createFileRoute } from "@tanstack/react-router";
import { AuditRowPage } from "@/features/audit/AuditRowPage";

export const Route = createFileRoute("/_app/audit/$row")({ component: AuditRowPage });
