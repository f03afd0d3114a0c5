import { createFileRoute } from "@tanstack/react-router";
import { ExclusionPage } from "@/features/policies/ExclusionPage";

export const Route = createFileRoute("/_app/policies/$policy/exclusions/$exclusion")({
  component: function Exclusion() {
    const { policy, exclusion } = Route.useParams();
    return <ExclusionPage key={`${policy} ${exclusion}`} policy={policy} id={exclusion} />;
  },
});
