import type { CustomRuleRepresentation, PolicyRepresentation } from "@guard-proxy/client";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test, vi } from "vitest";
import { draw } from "@/test/render";
import { answer, changeSet, plan, problem, roles, server } from "@/test/server";
import { ParanoiaField } from "./ParanoiaField";
import { PolicySettings } from "./PolicySettings";
import { RuleForm } from "./RuleForm";

// CodeMirror asks for more of a browser than jsdom has: the end-to-end tests use it.
vi.mock("@/components/code/Editor", () => ({
  default: ({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) => (
    <textarea aria-label={label} value={value} onChange={(event) => onChange(event.currentTarget.value)} />
  ),
}));

const policy: PolicyRepresentation = {
  name: "shop",
  title: "Shop",
  description: "",
  mode: "block",
  paranoia: { blocking: 1, detection: 1 },
  thresholds: { inbound: 5, outbound: 4 },
  allowed_methods: ["GET"],
  allowed_content_types: ["application/json"],
  exclusions: [],
  custom_rules: [],
  meta: { etag: '"7"', revision: 7, created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z" },
};
const rule: CustomRuleRepresentation = {
  id: 190001,
  enabled: true,
  placement: "before",
  seclang: "SecRule ARGS:a",
  meta: { etag: '"7"', revision: 7 },
};
const staged = vi.fn();

beforeEach(() => {
  staged.mockReset();
  const row = { about: "", scoped: true, read: "viewer", create: "editor", update: "editor", delete: "editor" } as const;
  const kinds = ["policy", "exclusion", "custom_rule", "change_set", "plan"] as const;
  server.use(
    http.get("/api/v1/roles", () => answer({ ...roles, items: kinds.map((kind) => ({ ...row, kind })) })),
    http.post("/api/v1/change-sets", async ({ request }) => {
      staged(await request.json());
      return answer(changeSet, 201);
    }),
    http.get("/api/v1/change-sets", () => answer({ items: [], next_cursor: null })),
    http.post("/api/v1/change-sets/c1/plan", () => answer(plan, 201)),
    http.delete("/api/v1/change-sets/c1", () => new HttpResponse(null, { status: 204 })),
  );
});

async function press(name: string) {
  const button = await screen.findByRole("button", { name });
  await waitFor(() => expect(button).not.toHaveAttribute("aria-disabled"));
  await userEvent.click(button);
}

test("saving sends what differs, with the ETag that was read, and shows the plan", async () => {
  await draw(<PolicySettings policy={policy} onSaved={() => {}} />);
  const title = await screen.findByRole("textbox", { name: "Title" });
  await waitFor(() => expect(title).toBeEnabled());
  await userEvent.click(screen.getByRole("radio", { name: /^Detect/ }));
  await press("Save");
  expect(await screen.findByText("clients get more")).toBeInTheDocument();
  expect(staged).toHaveBeenCalledWith({
    message: "Policy shop: mode",
    operations: [{ method: "PATCH", path: "/policies/shop", value: { mode: "detect" }, if_match: '"7"' }],
  });
});

test("what the server refuses is at its field, and said once", async () => {
  const errors = [{ pointer: "/operations/0/value/thresholds/inbound", code: "out_of_range", detail: "1 to 99999." }];
  server.use(http.post("/api/v1/change-sets", () => problem({ code: "invalid", status: 422, detail: "1 to 99999.", errors })));
  await draw(<PolicySettings policy={policy} onSaved={() => {}} />);
  const inbound = await screen.findByLabelText("Inbound threshold");
  await waitFor(() => expect(inbound).toBeEnabled());
  await userEvent.clear(inbound);
  await userEvent.type(inbound, "0");
  await press("Save");
  expect(await screen.findByText("1 to 99999.")).toBeInTheDocument();
  expect(inbound).toHaveAccessibleDescription(expect.stringContaining("1 to 99999."));
  expect(inbound).toHaveValue("0");
});

test("somebody else was faster: both versions, and then theirs is what is edited on", async () => {
  const errors = [{ pointer: "/operations/0/if_match", code: "precondition_failed", detail: "It has changed." }];
  const theirs = { ...policy, title: "Theirs", meta: { ...policy.meta, etag: '"8"' } };
  server.use(
    http.post("/api/v1/change-sets", () => problem({ code: "invalid", status: 422, errors }), { once: true }),
    http.get("/api/v1/policies/shop", () => answer(theirs)),
  );
  await draw(<PolicySettings policy={policy} onSaved={() => {}} />);
  const title = await screen.findByRole("textbox", { name: "Title" });
  await waitFor(() => expect(title).toBeEnabled());
  await userEvent.clear(title);
  await userEvent.type(title, "Mine");
  await press("Save");
  const conflict = await screen.findByRole("dialog", { name: "Policy shop was changed meanwhile" });
  await userEvent.click(within(conflict).getByRole("radio", { name: "/title: mine" }));
  await userEvent.click(within(conflict).getByRole("button", { name: "Go on with this" }));
  await press("Save");
  await waitFor(() => expect(staged).toHaveBeenCalled());
  expect(staged.mock.calls[0]?.[0].operations).toEqual([
    { method: "PATCH", path: "/policies/shop", value: { title: "Mine" }, if_match: '"8"' },
  ]);
});

test("detection is never below blocking, and the shadow is explained", async () => {
  const changed = vi.fn();
  const field = (blocking: number, detection: number) => (
    <ParanoiaField value={{ blocking, detection }} onChange={changed} mode="block" errors={{}} disabled={false} />
  );
  await draw(field(1, 3));
  expect(screen.getByText(/Rules of level 2 to 3 run on all requests, but their/)).toBeInTheDocument();
  expect(screen.getAllByText("reports only")).toHaveLength(2);
  await userEvent.click(within(screen.getByRole("radiogroup", { name: "Blocking paranoia level" })).getByText("4"));
  expect(changed).toHaveBeenLastCalledWith({ blocking: 4, detection: 4 });
  await userEvent.click(within(screen.getByRole("radiogroup", { name: "Detection paranoia level" })).getByText("1"));
  expect(changed).toHaveBeenLastCalledWith({ blocking: 1, detection: 1 });
});

test("a plan's errors about the rule are marks in it, and no plan is shown", async () => {
  const errors = [
    { pointer: "/policies/shop/custom_rules/0/seclang", code: "unknown_variable", detail: "No ARGZ.", line: 1, column: 9 },
    { pointer: "/policies/shop/custom_rules/0/seclang", code: "unknown_variable", detail: "No ARGZ.", line: 1, column: 9 },
    { pointer: "/vhosts/shop", code: "too_large", detail: "Something else." },
  ];
  server.use(http.post("/api/v1/change-sets/c1/plan", () => answer({ ...plan, errors }, 201)));
  await draw(<RuleForm policy="shop" all={[rule]} rule={rule} />);
  await userEvent.type(await screen.findByRole("textbox", { name: "Rule" }), " more");
  await press("Save");
  expect(await screen.findByText("Line 1, column 9: No ARGZ.")).toBeInTheDocument();
  expect(screen.getByText("Something else.")).toBeInTheDocument();
  expect(screen.queryByRole("dialog")).not.toBeInTheDocument();
});
