import { createFileRoute, redirect } from "@tanstack/react-router";
import { backTo } from "@/auth/back";
import { SignInPage } from "@/auth/SignInPage";
import { session } from "@/auth/session";
import { text } from "@/lib/search";

export const Route = createFileRoute("/sign-in")({
  validateSearch: (raw: Record<string, unknown>): { redirect?: string | undefined; error?: string | undefined } => ({
    redirect: text(raw, "redirect"),
    error: text(raw, "error"),
  }),
  beforeLoad: async ({ search }) => {
    await session.start();
    // Also when another tab has signed in meanwhile: then this one goes on where it was.
    if (session.get().status === "in") throw redirect({ href: backTo(search.redirect) });
  },
  component: Page,
});

function Page() {
  const { redirect, error } = Route.useSearch();
  return <SignInPage failed={error} back={redirect} />;
}
