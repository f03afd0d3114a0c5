import { createFileRoute, redirect, retainSearchParams } from "@tanstack/react-router";
import { session } from "@/auth/session";
import { meQuery, rolesQuery } from "@/auth/use-me";
import { unsaved } from "@/lib/unsaved";
import { Shell } from "@/shell/Shell";
import { work, workingSearch } from "@/working/working";

/** All pages that want somebody to be signed in. */
export const Route = createFileRoute("/_app")({
  validateSearch: workingSearch,
  // Whoever works in a change set does so on every page, until they leave it.
  search: { middlewares: [retainSearchParams(["change_set"])] },
  beforeLoad: async ({ location, search, preload, context: { queries } }) => {
    await session.start();
    if (session.get().status !== "in" && !unsaved.get()) throw redirect({ to: "/sign-in", search: { redirect: location.href } });
    if (!preload) work(search, queries);
  },
  loader: ({ context: { queries } }) => {
    void queries.prefetchQuery(meQuery);
    void queries.prefetchQuery(rolesQuery);
  },
  component: Shell,
});
