import type { Session, User } from "@guard-proxy/client";
import { useQuery } from "@tanstack/react-query";
import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http } from "msw";
import { beforeEach, expect, test, vi } from "vitest";
import { MePage } from "@/features/me/MePage";
import { draw } from "@/test/render";
import { answer, me, problem, server } from "@/test/server";
import { EditUser } from "./EditUser";
import { SsoLink } from "./SsoLink";
import { UserSessions } from "./UserSessions";
import { userQuery } from "./user";

const bob: User = {
  id: "u2",
  email: "bob@example.com",
  title: "Bob",
  roles: [{ role: "admin" }],
  source: "local",
  ready: true,
  disabled: false,
  totp: false,
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-01T00:00:00Z",
};
const sent = vi.fn();
/** As the server has them. */
let there: User;

beforeEach(() => {
  sent.mockClear();
  there = bob;
  server.use(
    http.get("/api/v1/users/u2", () => answer(there)),
    http.patch("/api/v1/users/u2", async ({ request }) => {
      const body = (await request.json()) as Partial<User>;
      sent(body);
      there = { ...there, ...body };
      return answer(there);
    }),
    http.get("/api/v1/auth/methods", () => answer({ password: true, sso: { name: "Keycloak", begin: "/api/v1/auth/sso" } })),
  );
});

function Shown() {
  const { data } = useQuery({ ...userQuery("u2"), staleTime: Number.POSITIVE_INFINITY });
  return data && <EditUser user={data} />;
}

async function rename() {
  const name = await screen.findByLabelText("Name");
  await userEvent.clear(name);
  await userEvent.type(name, "Robert");
}

test("who corrects a name does not give back roles that were taken away meanwhile", async () => {
  await draw(<Shown />);
  await rename();
  there = { ...bob, roles: [{ role: "viewer" }] };
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(sent).toHaveBeenCalledExactlyOnceWith({ title: "Robert" }));
  expect(there.roles).toEqual([{ role: "viewer" }]);
  // The form has gone on to what is there.
  expect(await screen.findByRole("button", { name: "Remove role viewer" })).toBeInTheDocument();
});

test("where both changed the roles nothing is saved before it is chosen whose", async () => {
  await draw(<Shown />);
  await userEvent.click(await screen.findByRole("button", { name: "Add a role" }));
  there = { ...bob, roles: [{ role: "editor" }] };
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  expect(await screen.findByText("bob@example.com was changed meanwhile")).toBeInTheDocument();
  expect(sent).not.toHaveBeenCalled();
  await userEvent.click(screen.getByRole("button", { name: "Keep mine" }));
  await userEvent.click(screen.getByRole("button", { name: "Go on with this" }));
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(sent).toHaveBeenCalledExactlyOnceWith({ roles: [{ role: "admin" }, { role: "viewer" }] }));
});

test("roles of who comes by single sign-on cannot be edited", async () => {
  there = { ...bob, source: "sso" };
  await draw(<Shown />);
  expect(await screen.findByText(/those of their groups/)).toBeInTheDocument();
  expect(screen.getByRole("button", { name: "Add a role" })).toBeDisabled();
  await rename();
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(sent).toHaveBeenCalledExactlyOnceWith({ title: "Robert" }));
});

test("somebody is linked by a subject, and unlinked", async () => {
  const drawn = await draw(<SsoLink user={bob} />);
  await userEvent.click(await screen.findByRole("button", { name: "Link to Keycloak" }));
  await userEvent.type(await screen.findByLabelText(/^Subject/), "f3a1");
  await userEvent.click(screen.getByRole("button", { name: "Link" }));
  await waitFor(() => expect(sent).toHaveBeenLastCalledWith({ sso_subject: "f3a1" }));
  drawn.unmount();
  await draw(<SsoLink user={{ ...bob, source: "sso" }} />);
  await userEvent.click(await screen.findByRole("button", { name: "Unlink from Keycloak" }));
  await userEvent.click(await screen.findByRole("button", { name: "Unlink" }));
  await waitFor(() => expect(sent).toHaveBeenLastCalledWith({ sso_subject: null }));
});

test("where there is no single sign-on nobody can be linked to it", async () => {
  const asked = vi.fn();
  server.use(
    http.get("/api/v1/auth/methods", () => {
      asked();
      return answer({ password: true, sso: null });
    }),
  );
  await draw(<SsoLink user={bob} />);
  await waitFor(() => expect(asked).toHaveBeenCalled());
  expect(screen.queryByRole("button")).not.toBeInTheDocument();
});

test("my account has a password and an authenticator only where they are asked for", async () => {
  let source: User["source"] = "sso";
  server.use(
    http.get("/api/v1/auth/me", () => answer({ ...me, user: { ...bob, source } })),
    http.get("/api/v1/auth/sessions", () => answer({ items: [], total: 0 })),
  );
  const drawn = await draw(<MePage />);
  expect(await screen.findByText("single sign-on")).toBeInTheDocument();
  expect(screen.queryByRole("heading", { name: "Password" })).not.toBeInTheDocument();
  expect(screen.queryByRole("heading", { name: "Authenticator" })).not.toBeInTheDocument();
  drawn.unmount();
  source = "local";
  await draw(<MePage />);
  expect(await screen.findByRole("heading", { name: "Password" })).toBeInTheDocument();
  expect(screen.getByRole("heading", { name: "Authenticator" })).toBeInTheDocument();
});

test("a session that is being ended is busy, and one that was over is done", async () => {
  const session: Session = { id: "s1", created_at: bob.created_at, used_at: bob.created_at, expires_at: bob.created_at, user_agent: "" };
  let items = [session];
  let go = () => {};
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  server.use(
    http.get("/api/v1/users/u2/sessions", () => answer({ items, total: items.length })),
    http.delete("/api/v1/users/u2/sessions/s1", async () => {
      await gate;
      items = [];
      return problem({ code: "not_found", status: 404 });
    }),
  );
  await draw(<UserSessions user={bob} />);
  await userEvent.click(await screen.findByRole("button", { name: /^End the session/ }));
  expect(screen.getByRole("button", { name: /^End the session/ })).toHaveAttribute("data-loading", "true");
  go();
  expect(await screen.findByText("Nowhere.")).toBeInTheDocument();
  expect(screen.queryByRole("alert")).not.toBeInTheDocument();
});
