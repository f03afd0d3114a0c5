import { TextInput } from "@mantine/core";
import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http } from "msw";
import { useState } from "react";
import { beforeEach, expect, test, vi } from "vitest";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import { keys } from "@/lib/keys";
import { unsaved } from "@/lib/unsaved";
import { Account } from "@/shell/Account";
import { draw } from "@/test/render";
import { answer, me, problem, server } from "@/test/server";
import SessionOver from "./SessionOver";
import { session } from "./session";

const signedIn = { access_token: "access", expires_in: 300, session: "s", token_type: "Bearer", user: me };
const ada = { ...me, user: { id: "u1", email: "ada@example.com" } };
const close = vi.fn();

function Page({ over }: { over: boolean }) {
  const [text, setText] = useState("");
  return (
    <>
      <UnsavedGuard dirty={text !== ""} />
      <TextInput label="Title" value={text} onChange={(event) => setText(event.currentTarget.value)} />
      {text === "typed" && over && <SessionOver close={close} />}
      {!over && <Account />}
    </>
  );
}

/** A page with something typed. */
async function typed(over: boolean) {
  const drawn = await draw(<Page over={over} />);
  drawn.queries.setQueryData(keys.all("me"), ada);
  await userEvent.type(screen.getByLabelText("Title"), "typed");
  return drawn;
}

async function signIn() {
  await userEvent.type(await screen.findByLabelText(/^Password/), "a long sentence");
  await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
}

beforeEach(async () => {
  close.mockClear();
  server.use(
    http.get("/api/v1/auth/methods", () => answer({ password: true, sso: { name: "Keycloak", begin: "/api/v1/auth/sso" } })),
    http.post("/api/v1/auth/sign-out", () => new Response(null, { status: 204 })),
    http.post("/api/v1/auth/sign-in", async ({ request }) => {
      const { totp } = (await request.json()) as { totp: string | null };
      return totp ? answer(signedIn) : problem({ code: "totp_required", status: 401 });
    }),
  );
});

test("the same person goes on with what was typed, by the authenticator's code too", async () => {
  await session.signOut();
  server.use(http.get("/api/v1/auth/me", () => answer(ada)));
  const { router } = await typed(true);
  expect(await screen.findByLabelText(/E-mail/)).toHaveValue("ada@example.com");
  expect(await screen.findByRole("link", { name: /Keycloak, in a new tab/ })).toHaveAttribute("target", "_blank");
  await signIn();
  expect(close).not.toHaveBeenCalled();
  await userEvent.type(await screen.findByLabelText(/^Code/), "123456");
  await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
  await waitFor(() => expect(close).toHaveBeenCalledOnce());
  expect(unsaved.get()).toBe(true);
  expect(router.state.location.pathname).toBe("/");
  expect(screen.getByLabelText("Title")).toHaveValue("typed");
});

test("somebody else does not get to see it: the page is left, and what was read forgotten", async () => {
  await session.signOut();
  server.use(http.get("/api/v1/auth/me", () => answer({ ...me, label: "user:eve@example.com" })));
  const { queries } = await typed(true);
  queries.setQueryData(keys.one("users", "u1"), { secret: true });
  await signIn();
  await userEvent.type(await screen.findByLabelText(/^Code/), "123456");
  await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
  await waitFor(() => expect(close).toHaveBeenCalledOnce());
  expect(unsaved.get()).toBe(false);
  expect(queries.getQueryData(keys.one("users", "u1"))).toBeUndefined();
});

test("leaving drops it", async () => {
  await session.signOut();
  await typed(true);
  await userEvent.keyboard("{Escape}");
  await userEvent.click(await screen.findByRole("button", { name: "Leave, and drop it" }));
  expect(unsaved.get()).toBe(false);
});

test("signing out by oneself asks first where something is unsaved", async () => {
  session.take(signedIn as never);
  await typed(false);
  await userEvent.click(screen.getByRole("button", { name: "Account and appearance" }));
  await userEvent.click(await screen.findByRole("menuitem", { name: "Sign out" }));
  expect(await screen.findByText("Sign out without saving?")).toBeInTheDocument();
  expect(session.get().status).toBe("in");
  await userEvent.click(screen.getByRole("button", { name: "Sign out" }));
  await waitFor(() => expect(session.get().status).toBe("out"));
  expect(unsaved.get()).toBe(false);
});
