import { createFileRoute } from "@tanstack/react-router";
import { SetupPage } from "@/auth/SetupPage";

/** The link's token is after `#`: browsers send that to nobody, so it is in no log. */
export const Route = createFileRoute("/setup")({ component: SetupPage });
