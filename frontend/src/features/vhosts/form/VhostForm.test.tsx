import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http } from "msw";
import { beforeEach, expect, test } from "vitest";
import { draw } from "@/test/render";
import { answer, changeSet, me, plan, problem, roles, server } from "@/test/server";
import { vhost } from "@/test/vhost";
import { VhostForm } from "./VhostForm";
import { FRESH, valuesOf } from "./values";

const editors = { about: "", scoped: true, read: "viewer", create: "editor", update: "editor", delete: "editor" } as const;
const page = { next_cursor: null, total: 1 };
let sent: { message: string; operations: { method: string; path: string; if_match?: string; value: object }[] }[];

beforeEach(() => {
  sent = [];
  server.use(
    http.get("/api/v1/roles", () => answer({ ...roles, items: [...roles.items, { kind: "vhost", ...editors }] })),
    http.get("/api/v1/policies", () => answer({ ...page, items: [{ name: "shop", title: "Shop" }] })),
    http.get("/api/v1/ip-lists", () => answer({ ...page, items: [] })),
    http.get("/api/v1/change-sets", () => answer({ ...page, items: [] })),
    http.delete("/api/v1/change-sets/c1", () => new Response(null, { status: 204 })),
    http.post("/api/v1/change-sets/c1/plan", () => answer(plan, 201)),
    http.post("/api/v1/change-sets", async ({ request }) => {
      sent.push((await request.json()) as (typeof sent)[number]);
      return answer(changeSet, 201);
    }),
  );
});

test("a new one says what is missing, and asks nobody", async () => {
  await draw(<VhostForm initial={FRESH} />);
  await userEvent.type(screen.getByLabelText("Title"), "x");
  await userEvent.click(screen.getByRole("button", { name: "Create" }));
  expect(await screen.findByText("An IPv4 or IPv6 address.")).toBeInTheDocument();
  await waitFor(() => expect(screen.getByRole("textbox", { name: /^Name/, description: /Letters/ })).toHaveFocus());
  expect(sent).toEqual([]);
});

test("what differs is sent, with the ETag of what was read", async () => {
  await draw(<VhostForm initial={valuesOf(vhost)} current={vhost} />);
  expect(screen.getByRole("button", { name: "Save" })).toHaveAttribute("aria-disabled", "true");
  await userEvent.type(screen.getByLabelText("Title"), "!");
  await userEvent.click(screen.getByRole("switch", { name: /^Protected/ }));
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  expect(await screen.findByText("What this does")).toBeInTheDocument();
  expect(sent[0]?.message).toBe("Vhost shop: title, protected");
  expect(sent[0]?.operations).toEqual([
    { method: "PATCH", path: "/vhosts/shop", if_match: '"6"', value: { title: "Shop!", protected: true } },
  ]);
});

test("what the server refuses is said at the field", async () => {
  const errors = [{ pointer: "/operations/0/value/upstream/servers/0/address", code: "invalid_value", detail: "no address" }];
  server.use(http.post("/api/v1/change-sets", () => problem({ code: "invalid", status: 422, errors })));
  await draw(<VhostForm initial={valuesOf(vhost)} current={vhost} />);
  await userEvent.type(screen.getByRole("textbox", { name: /^Address/ }), "x");
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(screen.getByRole("textbox", { name: /^Address/ })).toHaveAccessibleDescription(/no address/));
});

test("somebody else was faster: both versions are shown, and the next save is about theirs", async () => {
  const theirs = { ...vhost, title: "Theirs", meta: { ...vhost.meta, etag: '"9"' } };
  const errors = [{ pointer: "/operations/0/if_match", code: "precondition_failed", detail: "changed" }];
  server.use(
    http.post("/api/v1/change-sets", () => problem({ code: "invalid", status: 422, errors }), { once: true }),
    http.get("/api/v1/vhosts/shop", () => answer(theirs)),
  );
  await draw(<VhostForm initial={valuesOf(vhost)} current={vhost} />);
  await userEvent.type(screen.getByLabelText("Description"), "mine");
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  expect(await screen.findByText("Vhost shop was changed meanwhile")).toBeInTheDocument();
  await userEvent.click(await screen.findByRole("button", { name: "Go on with this" }));
  expect(screen.getByLabelText("Title")).toHaveValue("Theirs");
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(sent).toHaveLength(1));
  expect(sent[0]?.operations).toEqual([{ method: "PATCH", path: "/vhosts/shop", if_match: '"9"', value: { description: "mine" } }]);
});

test("who may not change it reads it, and why", async () => {
  server.use(http.get("/api/v1/auth/me", () => answer({ ...me, roles: [{ role: "viewer" }] })));
  await draw(<VhostForm initial={valuesOf(vhost)} current={vhost} />);
  await waitFor(() => expect(screen.getByLabelText("Title")).toBeDisabled());
  const save = screen.getByRole("button", { name: "Save" });
  save.focus();
  expect(await screen.findByText(/^To change vhosts wants the role editor/)).toBeInTheDocument();
});
