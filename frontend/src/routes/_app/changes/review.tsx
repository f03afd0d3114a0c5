import { createFileRoute } from "@tanstack/react-router";
import { ReviewsPage } from "@/features/changes/ReviewsPage";

export const Route = createFileRoute("/_app/changes/review")({ component: ReviewsPage });
