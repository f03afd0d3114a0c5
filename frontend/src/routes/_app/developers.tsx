import { createFileRoute } from "@tanstack/react-router";
import { ApiPage } from "@/features/settings/ApiPage";

/** Not under `/api`: that is the API's own. */
export const Route = createFileRoute("/_app/developers")({ component: ApiPage });
