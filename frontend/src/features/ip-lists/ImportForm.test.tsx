import type { IpListRepresentation, SessionList } from "@guard-proxy/client";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test, vi } from "vitest";
import type { Users } from "@/features/used/use-users";
import { draw } from "@/test/render";
import { answer, changeSet, me, plan, problem, roles, server } from "@/test/server";
import { vhost } from "@/test/vhost";
import { ImportForm } from "./ImportForm";

const list: IpListRepresentation = {
  name: "office",
  title: "",
  description: "",
  source: "manual",
  entry_count: 1,
  digest: "",
  meta: { etag: '"7"', revision: 7, created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z" },
};
const none: Users = {
  users: [],
  rows: [],
  total: 0,
  loading: false,
  stale: false,
  error: null,
  hasMore: false,
  loadingMore: false,
  more: () => {},
  again: () => {},
};
const denying = { ...vhost, access: { deny: ["office"], allow_only: [], trust: [] } };
const sessions: SessionList = {
  items: [{ id: "s", user_agent: "", address: "192.0.2.7", current: true, created_at: "", used_at: "", expires_at: "" }],
};
const staged = vi.fn();

beforeEach(() => {
  staged.mockReset();
  const row = { about: "", scoped: true, read: "viewer", create: "operator", update: "operator", delete: "operator" } as const;
  server.use(
    http.get("/api/v1/auth/sessions", () => answer(sessions)),
    http.get("/api/v1/roles", () =>
      answer({ ...roles, items: [{ ...row, kind: "entry" as const }, ...roles.items.filter(({ kind }) => kind === "change_set")] }),
    ),
    http.post("/api/v1/change-sets", async ({ request }) => {
      staged(await request.json());
      return answer(changeSet, 201);
    }),
    http.get("/api/v1/change-sets", () => answer({ items: [], next_cursor: null })),
    http.post("/api/v1/change-sets/c1/plan", () => answer(plan, 201)),
    http.delete("/api/v1/change-sets/c1", () => new HttpResponse(null, { status: 204 })),
  );
});

async function pasted(text: string, replace = false, users: Users = none) {
  await draw(<ImportForm list={list} users={users} replace={replace} />);
  const field = screen.getByRole("textbox", { name: "Entries, one on each line" });
  await waitFor(() => expect(field).toBeEnabled());
  await userEvent.click(field);
  await userEvent.paste(text);
  return field;
}

test("the server's errors are at their lines, the text stays, and the good lines can go alone", async () => {
  const errors = [{ pointer: "/operations/0/value/add/1/network", code: "invalid_value", detail: "No network." }];
  server.use(http.post("/api/v1/change-sets", () => problem({ code: "invalid", status: 422, errors }), { once: true }));
  const text = "# office\n192.0.2.1\nnowhere\n192.0.2.2";
  const field = await pasted(text);
  await userEvent.click(screen.getByRole("button", { name: "Add" }));
  const rows = within(await screen.findByRole("table", { name: "Lines that cannot be taken" })).getAllByRole("row");
  expect(rows[1]).toHaveTextContent("3nowhereNo network.");
  expect(field).toHaveValue(text);
  await userEvent.click(screen.getByRole("button", { name: "Add the good ones, keep the others here" }));
  await waitFor(() => expect(staged).toHaveBeenCalled());
  const add = [expect.objectContaining({ network: "192.0.2.1" }), expect.objectContaining({ network: "192.0.2.2" })];
  expect(staged).toHaveBeenCalledWith(
    expect.objectContaining({ operations: [expect.objectContaining({ method: "POST", value: { add, remove: [] } })] }),
  );
});

test("replacing sends all entries with the list's ETag", async () => {
  await pasted("192.0.2.0/24, probes, 2030-01-31", true);
  await userEvent.click(screen.getByRole("button", { name: "Replace all" }));
  await waitFor(() => expect(staged).toHaveBeenCalled());
  const items = [{ network: "192.0.2.0/24", comment: "probes", expires_at: "2030-01-31T00:00:00Z" }];
  expect(staged.mock.calls[0]?.[0].operations).toEqual([
    { method: "PUT", path: "/ip-lists/office/entries", value: { items }, if_match: '"7"' },
  ]);
});

test("who would lock themselves out is told while they write", async () => {
  await pasted("192.0.2.0/24", false, { ...none, users: [{ vhost: denying, how: ["deny: clients on it get 403"] }] });
  expect(await screen.findByText(/This is you: your address 192\.0\.2\.7 is in 192\.0\.2\.0\/24.*403 on shop/)).toBeInTheDocument();
});

test("who has no change sets is asked, and writes at once", async () => {
  const written = vi.fn();
  server.use(
    http.get("/api/v1/auth/me", () => answer({ ...me, roles: [{ role: "operator" as const }] })),
    http.post("/api/v1/ip-lists/office/entries:batch", async ({ request }) => {
      written(await request.json());
      return answer(list);
    }),
  );
  await pasted("192.0.2.9");
  await userEvent.click(screen.getByRole("button", { name: "Add" }));
  await userEvent.click(within(await screen.findByRole("dialog", { name: "Save at once?" })).getByRole("button", { name: "Save" }));
  await waitFor(() => expect(written).toHaveBeenCalledWith({ add: [{ network: "192.0.2.9", comment: "", expires_at: null }], remove: [] }));
  expect(staged).not.toHaveBeenCalled();
});

test("a feed's entries are not to be written here", async () => {
  const feed = { ...list, source: "feed" } as unknown as IpListRepresentation;
  await draw(<ImportForm list={feed} users={none} replace={false} />);
  expect(screen.getByRole("textbox", { name: "Entries, one on each line" })).toBeDisabled();
  expect(screen.getByRole("button", { name: "Add" })).toHaveAttribute("aria-disabled", "true");
});
