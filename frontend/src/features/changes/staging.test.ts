import type { Conflict, ObjectDiff } from "@guard-proxy/client";
import { http } from "msw";
import { expect, test } from "vitest";
import "@/auth/session";
import { answer, changeSet, server } from "@/test/server";
import { elementPath, entriesBack, patchTo, resolve, settled, unstage } from "./staging";

const conflict = (over: Partial<Conflict>): Conflict => ({
  kind: "policy",
  name: "shop",
  element: "",
  fields: ["/title"],
  base: { title: "a", mode: "block", description: "" },
  yours: { title: "mine", mode: "block", description: "more" },
  theirs: { title: "theirs", mode: "detect", description: "" },
  theirs_revision: 8,
  ...over,
});

test("what only one side changed is kept whatever is chosen", () => {
  expect(settled(conflict({}), "theirs")).toEqual({ title: "theirs", mode: "detect", description: "more" });
  expect(settled(conflict({}), "yours")).toEqual({ title: "mine", mode: "detect", description: "more" });
});

test("a patch makes one of the other", () => {
  expect(patchTo({ a: 1, b: { c: 1, d: 2 }, e: [1] }, { b: { c: 3, d: 2 }, e: [2] })).toEqual({ a: null, b: { c: 3 }, e: [2] });
});

test("elements have paths of their own", () => {
  expect(elementPath("/custom_rules/190001")).toBe("custom-rules/190001");
  expect(elementPath("/upstream/servers/a")).toBe("servers/a");
  expect(elementPath("/paths/~1api~1")).toBe("paths/%2Fapi%2F");
});

const list: ObjectDiff = {
  kind: "ip_list",
  name: "bad",
  change: "updated",
  fields_left_out: 0,
  fields: [
    { pointer: "/entries/192.0.2.0~124", words: "", after: { network: "192.0.2.0/24" } },
    { pointer: "/entries/192.0.2.9~132", words: "", before: { network: "192.0.2.9/32", comment: "x" } },
  ],
};

test("entries that came go, and what went comes back", () => {
  expect(entriesBack(list)).toEqual({ add: [{ network: "192.0.2.9/32", comment: "x" }], remove: ["192.0.2.0/24"] });
});

function record(sent: string[]) {
  server.use(
    http.all("/api/v1/*", async ({ request }) => {
      const { pathname, search } = new URL(request.url);
      const body = request.method === "GET" ? "" : await request.clone().text();
      sent.push(`${request.method} ${pathname.slice(7)}${search} ${body}`.trim());
      return answer({ name: "shop", title: "a" });
    }),
  );
}

test("an object is taken out by making it what its base has", async () => {
  const sent: string[] = [];
  record(sent);
  await unstage(changeSet, { kind: "policy", name: "shop", change: "updated", fields: [], fields_left_out: 0 });
  await unstage(changeSet, { kind: "vhost", name: "new", change: "created", fields: [], fields_left_out: 0 });
  expect(sent).toEqual([
    "GET /policies/shop?revision=7",
    'PUT /policies/shop?change_set=c1 {"name":"shop","title":"a"}',
    "DELETE /vhosts/new?change_set=c1",
  ]);
});

test("a conflict is settled: first theirs, then the rebase, then what is to be yours on top", async () => {
  const sent: string[] = [];
  record(sent);
  const rule = conflict({ element: "/custom_rules/190001", fields: [], base: null, yours: { id: 190001, seclang: "x" }, theirs: null });
  await resolve("c1", [conflict({}), rule], () => "yours");
  expect(sent).toEqual([
    'PATCH /policies/shop?change_set=c1 {"title":"theirs","mode":"detect","description":""}',
    "DELETE /policies/shop/custom-rules/190001?change_set=c1",
    "POST /change-sets/c1/rebase",
    'PATCH /policies/shop?change_set=c1 {"title":"mine","description":"more"}',
    'PUT /policies/shop/custom-rules/190001?change_set=c1 {"id":190001,"seclang":"x"}',
  ]);
});

test("two orders of rules are one side or the other", async () => {
  const sent: string[] = [];
  record(sent);
  const rules = (...ids: number[]) => ids.map((id) => ({ id })) as unknown as Conflict["yours"];
  const order = conflict({ fields: ["/custom_rules"], base: rules(1, 2, 3), yours: rules(2, 1, 3), theirs: rules(1, 3, 2) });
  await resolve("c1", [order], () => "yours");
  expect(sent).toEqual([
    'PATCH /policies/shop?change_set=c1 {"custom_rules":[{"id":1},{"id":3},{"id":2}]}',
    "POST /change-sets/c1/rebase",
    'PATCH /policies/shop?change_set=c1 {"custom_rules":[{"id":2},{"id":1},{"id":3}]}',
  ]);
});
