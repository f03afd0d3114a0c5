import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http } from "msw";
import { expect, test, vi } from "vitest";
import { draw } from "@/test/render";
import { answer, changeSet, plan, roles, server } from "@/test/server";
import { vhost } from "@/test/vhost";
import { BulkBar } from "./BulkBar";

const editors = { about: "", scoped: true, read: "viewer", create: "editor", update: "editor", delete: "editor" } as const;
const withRoles = () =>
  server.use(http.get("/api/v1/roles", () => answer({ ...roles, items: [...roles.items, { kind: "vhost", ...editors }] })));

test("several vhosts are one change set", async () => {
  const sent: unknown[] = [];
  withRoles();
  server.use(
    http.get("/api/v1/change-sets", () => answer({ items: [], next_cursor: null, total: 0 })),
    http.post("/api/v1/change-sets/c1/plan", () => answer(plan, 201)),
    http.post("/api/v1/change-sets", async ({ request }) => {
      sent.push(await request.json());
      return answer(changeSet, 201);
    }),
  );
  await draw(<BulkBar selected={new Set(["a", "b"])} onSelect={() => {}} filter={{}} total={2} />);
  await waitFor(() => expect(screen.getByRole("button", { name: "Disable" })).not.toHaveAttribute("aria-disabled"));
  await userEvent.click(screen.getByRole("button", { name: "Disable" }));
  expect(await screen.findByText("What this does")).toBeInTheDocument();
  const patch = (name: string) => ({ method: "PATCH", path: `/vhosts/${name}`, value: { enabled: false } });
  expect(sent).toEqual([{ message: "Vhosts disabled: a, b", operations: [patch("a"), patch("b")] }]);
});

test("nothing selected: the buttons say so", async () => {
  withRoles();
  await draw(<BulkBar selected={new Set()} onSelect={() => {}} filter={{}} total={2} />);
  await userEvent.tab();
  expect(await screen.findByText("Select the vhosts first.")).toBeInTheDocument();
});

test("all that match can be selected, beyond what is loaded", async () => {
  const asked: string[] = [];
  withRoles();
  server.use(
    http.get("/api/v1/vhosts", ({ request }) => {
      const { searchParams } = new URL(request.url);
      asked.push(searchParams.toString());
      const second = searchParams.has("cursor");
      const items = [{ ...vhost, name: second ? "b" : "a" }];
      return answer({ items, next_cursor: second ? null : "next", total: 2 });
    }),
  );
  const onSelect = vi.fn();
  await draw(<BulkBar selected={new Set(["a"])} onSelect={onSelect} filter={{ label: ["team:web"] }} total={2} />);
  await userEvent.click(screen.getByRole("button", { name: "Select all 2" }));
  await waitFor(() => expect(onSelect).toHaveBeenCalledWith(new Set(["a", "b"])));
  expect(asked[0]).toContain("label=team%3Aweb");
});
