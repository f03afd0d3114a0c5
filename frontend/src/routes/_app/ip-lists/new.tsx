import { createFileRoute } from "@tanstack/react-router";
import { NewIpListPage } from "@/features/ip-lists/NewIpListPage";

export const Route = createFileRoute("/_app/ip-lists/new")({ component: NewIpListPage });
