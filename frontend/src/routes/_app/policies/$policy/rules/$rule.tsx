import { createFileRoute } from "@tanstack/react-router";
import { RulePage } from "@/features/policies/RulePage";

export const Route = createFileRoute("/_app/policies/$policy/rules/$rule")({
  component: function Rule() {
    const { policy, rule } = Route.useParams();
    return <RulePage key={`${policy} ${rule}`} policy={policy} id={Number(rule)} />;
  },
});
