import { createFileRoute } from "@tanstack/react-router";
import { RulePage } from "@/features/policies/RulePage";

export const Route = createFileRoute("/_app/policies/$policy/new-rule")({
  component: function NewRule() {
    const { policy } = Route.useParams();
    return <RulePage policy={policy} />;
  },
});
