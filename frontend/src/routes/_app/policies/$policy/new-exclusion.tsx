import { createFileRoute } from "@tanstack/react-router";
import { ExclusionPage } from "@/features/policies/ExclusionPage";
import { count, text } from "@/lib/search";

type Search = { rule?: number | undefined; tag?: string | undefined; target?: string | undefined; path?: string | undefined };

/** What a link knows already, as an event's: `?rule=942100&target=ARGS:comment&path=/blog/`. Beside `$policy/exclusions/`, where it could be an id. */
export const Route = createFileRoute("/_app/policies/$policy/new-exclusion")({
  validateSearch: (raw: Record<string, unknown>): Search => ({
    rule: count(raw, "rule"),
    tag: text(raw, "tag"),
    target: text(raw, "target"),
    path: text(raw, "path"),
  }),
  component: function NewExclusion() {
    const { policy } = Route.useParams();
    const { rule, tag, target, path } = Route.useSearch();
    const given =
      rule || tag || target || path
        ? {
            by: tag ? ("tag" as const) : ("id" as const),
            rule: rule ?? ("" as const),
            tag: tag ?? "",
            target: target ?? "",
            prefix: path ?? "",
          }
        : undefined;
    return <ExclusionPage policy={policy} given={given} />;
  },
});
