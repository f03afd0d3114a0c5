import { createFileRoute, redirect } from "@tanstack/react-router";
import { session } from "@/auth/session";
import { meQuery, rolesQuery } from "@/auth/use-me";
import { Shell } from "@/shell/Shell";

/** All pages that want somebody to be signed in. */
export const Route = createFileRoute("/_app")({
  beforeLoad: async ({ location }) => {
    await session.start();
    if (session.get().status !== "in") throw redirect({ to: "/sign-in", search: { redirect: location.href } });
  },
  loader: ({ context: { queries } }) => {
    void queries.prefetchQuery(meQuery);
    void queries.prefetchQuery(rolesQuery);
  },
  component: Shell,
});
