import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http } from "msw";
import { beforeEach, expect, test } from "vitest";
import { draw } from "@/test/render";
import { answer, me, problem, server } from "@/test/server";
import { SignInPage } from "./SignInPage";
import { session } from "./session";

const signedIn = { access_token: "access", expires_in: 300, session: "s", token_type: "Bearer", user: me };

const methods = (sso: { name: string; begin: string } | null) => http.get("/api/v1/auth/methods", () => answer({ password: true, sso }));

beforeEach(() => server.use(methods(null)));

async function fill() {
  await userEvent.type(screen.getByLabelText(/E-mail/), "ada@example.com");
  await userEvent.type(screen.getByLabelText(/^Password/), "a long sentence");
  await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
}

test("a wrong password is said, with the request's id", async () => {
  server.use(http.post("/api/v1/auth/sign-in", () => problem({ code: "sign_in_failed", status: 401, title: "Not signed in" })));
  await draw(<SignInPage />);
  await fill();
  expect(await screen.findByText("Not signed in")).toBeInTheDocument();
  expect(screen.getByText("0191-request")).toBeInTheDocument();
  expect(screen.queryByLabelText(/^Code/)).not.toBeInTheDocument();
});

test("the code is asked for where the server wants it; the token is in memory, and answered requests carry it", async () => {
  const sent: unknown[] = [];
  server.use(
    http.post("/api/v1/auth/sign-in", async ({ request }) => {
      const body = (await request.json()) as { totp: string | null };
      sent.push(body.totp);
      return body.totp ? answer(signedIn) : problem({ code: "totp_required", status: 401 });
    }),
  );
  await draw(<SignInPage />);
  await fill();
  const code = await screen.findByLabelText(/^Code/);
  await waitFor(() => expect(code).toHaveFocus());
  await userEvent.type(code, "123 456");
  await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
  await waitFor(() => expect(session.get().status).toBe("in"));
  expect(sent).toEqual([null, "123456"]);
  expect(session.token()).toBe("access");
  expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toContain("access");

  server.use(http.post("/api/v1/auth/sign-out", () => new Response(null, { status: 204 })));
  await session.signOut();
  expect(session.get()).toEqual({ status: "out", why: "asked" });
  expect(session.token()).toBeUndefined();
});

test("single sign-on is offered where there is one, leads back, and says what went wrong", async () => {
  server.use(methods({ name: "Keycloak", begin: "/api/v1/auth/sso" }));
  await draw(<SignInPage failed="sso_no_role" back="/vhosts?q=a" />);
  const link = await screen.findByRole("link", { name: "Sign in with Keycloak" });
  expect(link).toHaveAttribute("href", "/api/v1/auth/sso?return_to=%2Fvhosts%3Fq%3Da");
  expect(screen.getByText("None of your groups has a role here. Ask an administrator.")).toBeInTheDocument();
});
