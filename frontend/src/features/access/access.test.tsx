import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http } from "msw";
import { expect, test, vi } from "vitest";
import { draw } from "@/test/render";
import { answer, problem, server } from "@/test/server";
import { EVERYWHERE, errorsAt, fromBindings, newBinding, scopeFault, scopeWords, toBindings } from "./bindings";
import { TokenModal } from "./TokenModal";

test("a limit without anything in it is not taken for everywhere", () => {
  expect(scopeFault({ ...EVERYWHERE, limited: true })).toContain("Name a vhost");
  expect(scopeFault({ ...EVERYWHERE, limited: true, labels: ["team"] })).toContain("team=web");
  expect(scopeFault({ ...EVERYWHERE, limited: true, labels: ["team=web"] })).toBeNull();
  expect(scopeFault(EVERYWHERE)).toBeNull();
});

test("roles go to the form and back", () => {
  const roles = [
    { role: "editor" as const, scope: { vhosts: ["shop"], labels: { team: "web=1" }, hostnames: [] } },
    { role: "viewer" as const },
  ];
  expect(fromBindings(toBindings(roles))).toEqual(roles);
  expect(fromBindings([newBinding("admin")])).toEqual([{ role: "admin" }]);
  expect(scopeWords(roles[0]?.scope)).toBe("vhosts shop; or label team=web=1");
  expect(errorsAt([{ pointer: "/roles/0/scope/hostnames/1", detail: "No." }], "/roles/0/scope")).toBe("No.");
});

const made = {
  id: "t1",
  name: "ci",
  token: "gpx_secret",
  created_at: "2026-01-01T00:00:00Z",
  created_by: "user:ada@example.com",
  expires_at: null,
  last_used_at: null,
  networks: [],
  permits: [],
  roles: [],
};

test("a token's text stays until it is said to be copied; problems are at their fields", async () => {
  const sent = vi.fn();
  const onClose = vi.fn();
  let refuse = true;
  server.use(
    http.post("/api/v1/tokens", async ({ request }) => {
      sent(await request.json());
      if (refuse) return problem({ code: "invalid", status: 422, errors: [{ pointer: "/name", code: "taken", detail: "There is one." }] });
      return answer(made, 201);
    }),
  );
  await draw(<TokenModal onClose={onClose} />);
  await userEvent.type(screen.getByLabelText(/^Name/), "ci");
  await userEvent.click(screen.getByLabelText("What a role may"));
  await userEvent.click(screen.getByRole("button", { name: "Make the token" }));
  expect(await screen.findByText("There is one.")).toBeInTheDocument();
  refuse = false;
  await userEvent.click(screen.getByRole("button", { name: "Make the token" }));
  expect(await screen.findByText("gpx_secret")).toBeInTheDocument();
  expect(sent).toHaveBeenLastCalledWith(expect.objectContaining({ name: "ci", roles: [{ role: "viewer" }], networks: [] }));
  await userEvent.keyboard("{Escape}");
  expect(onClose).not.toHaveBeenCalled();
  await userEvent.click(screen.getByLabelText("I have copied it"));
  await userEvent.click(screen.getByRole("button", { name: "Done" }));
  await waitFor(() => expect(onClose).toHaveBeenCalled());
});
