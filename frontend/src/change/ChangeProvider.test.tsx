import { Button } from "@mantine/core";
import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { beforeEach, expect, test, vi } from "vitest";
import { draw } from "@/test/render";
import { answer, changeSet, deployment, plan, problem, server } from "@/test/server";
import { useChange } from "./ChangeProvider";
import type { Outcome } from "./model";

const outcome = vi.fn<(outcome: Outcome | unknown) => void>();
const discarded = vi.fn();
const committed = vi.fn();

function Saving() {
  const { save } = useChange();
  const operations = [{ method: "PATCH" as const, path: "/policies/shop", value: { mode: "detect" } }];
  return <Button onClick={() => void save({ operations, message: "why" }).then(outcome, outcome)}>Save</Button>;
}

beforeEach(() => {
  outcome.mockReset();
  discarded.mockReset();
  committed.mockReset();
  server.use(
    http.post("/api/v1/change-sets", () => answer(changeSet, 201)),
    http.get("/api/v1/change-sets", () => answer({ items: [], next_cursor: null })),
    http.post("/api/v1/change-sets/c1/plan", () => answer(plan, 201)),
    http.delete("/api/v1/change-sets/c1", () => {
      discarded();
      return new HttpResponse(null, { status: 204 });
    }),
    http.post("/api/v1/change-sets/c1/commit", async ({ request }) => {
      committed(await request.json());
      return answer({ ...changeSet, state: "committed", revision: 8 });
    }),
  );
});

async function saved(at?: string) {
  await draw(<Saving />, at);
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
}

test("what is saved is planned, shown, applied by the plan's digest, and followed until it is live", async () => {
  server.use(http.get("/api/v1/deployments", () => answer({ items: [{ ...deployment, revision: 8, state: "live" }], next_cursor: null })));
  await saved();
  expect(await screen.findByText("mode: block → detect")).toBeInTheDocument();
  expect(screen.getByText("clients get more")).toBeInTheDocument();
  const apply = screen.getByRole("button", { name: "Apply now" });
  await waitFor(() => expect(apply).not.toHaveAttribute("aria-disabled"));
  await userEvent.click(apply);
  expect(await screen.findByText("Revision 8 is live and proven")).toBeInTheDocument();
  expect(committed).toHaveBeenCalledWith({ plan_digest: "digest", message: "why" });
  await userEvent.click(screen.getByRole("button", { name: "Close" }));
  expect(outcome).toHaveBeenCalledWith({ kind: "live", revision: 8 });
  expect(discarded).not.toHaveBeenCalled();
});

test("a refusal shows the engine's words", async () => {
  const refused = { ...deployment, revision: 8, state: "refused" as const, said: "unknown variable ARGZ" };
  server.use(http.get("/api/v1/deployments", () => answer({ items: [refused], next_cursor: null })));
  await saved();
  const apply = await screen.findByRole("button", { name: "Apply now" });
  await waitFor(() => expect(apply).not.toHaveAttribute("aria-disabled"));
  await userEvent.click(apply);
  expect(await screen.findByText("unknown variable ARGZ")).toBeInTheDocument();
});

test("going back to editing leaves nothing behind", async () => {
  await saved();
  await userEvent.click(await screen.findByRole("button", { name: "Back to editing" }));
  await waitFor(() => expect(outcome).toHaveBeenCalledWith({ kind: "cancelled", errors: [] }));
  expect(discarded).toHaveBeenCalledOnce();
});

test("it can be kept as a change set", async () => {
  await saved();
  await userEvent.click(await screen.findByRole("button", { name: "Add to my change set" }));
  await userEvent.click(await screen.findByRole("menuitem", { name: "A new one" }));
  await waitFor(() => expect(outcome).toHaveBeenCalledWith({ kind: "staged", changeSet: "c1" }));
  expect(discarded).not.toHaveBeenCalled();
});

test("what would be refused cannot be applied, and says why", async () => {
  const errors = [{ pointer: "/policies/shop/mode", code: "x", detail: "Not so." }];
  server.use(http.post("/api/v1/change-sets/c1/plan", () => answer({ ...plan, errors }, 201)));
  await saved();
  expect(await screen.findByText("Not so.")).toBeInTheDocument();
  expect(screen.getByRole("button", { name: "Apply now" })).toHaveAttribute("aria-disabled", "true");
});

test("what needs approval waits for somebody else", async () => {
  server.use(
    http.post("/api/v1/change-sets/c1/plan", () =>
      answer({ ...plan, approval: { required: true, vhosts: { names: ["shop"], total: 1 } } }, 201),
    ),
    http.post("/api/v1/change-sets/c1/commit", () => answer({ ...changeSet, state: "awaiting_approval" }, 202)),
  );
  await saved();
  const ask = await screen.findByRole("button", { name: "Ask for approval" });
  await waitFor(() => expect(ask).not.toHaveAttribute("aria-disabled"));
  await userEvent.click(ask);
  expect(await screen.findByText("It waits for approval by somebody else")).toBeInTheDocument();
  expect(screen.getByRole("link", { name: "The change set" })).toHaveAttribute("href", "/changes/c1");
});

test("what the server does not take at all goes back to the form", async () => {
  server.use(http.post("/api/v1/change-sets", () => problem({ code: "invalid", status: 422 })));
  await saved();
  await waitFor(() => expect(outcome).toHaveBeenCalledWith(expect.objectContaining({ code: "invalid" })));
});

test("where nothing differs there is nothing to decide", async () => {
  const diff = { ...plan.diff, counts: { created: 0, updated: 0, deleted: 0 }, changes: [] };
  server.use(http.post("/api/v1/change-sets/c1/plan", () => answer({ ...plan, diff }, 201)));
  await saved();
  await waitFor(() => expect(outcome).toHaveBeenCalledWith({ kind: "nothing" }));
  expect(discarded).toHaveBeenCalledOnce();
});

test("where one works in a change set it is staged there, and nothing has to be decided", async () => {
  const staged = vi.fn();
  const id = "01970000-0000-7000-8000-000000000001";
  server.use(
    http.post("/api/v1/change-sets", () => problem({ code: "internal", status: 500 })),
    http.post(`/api/v1/change-sets/${id}/operations`, async ({ request }) => {
      staged(await request.json());
      return answer(changeSet);
    }),
    // What it is worth is found out afterwards: that this fails is no save that failed.
    http.post(`/api/v1/change-sets/${id}/plan`, () => problem({ code: "unavailable", status: 503 })),
  );
  await saved(`/?change_set=${id}`);
  await waitFor(() => expect(outcome).toHaveBeenCalledWith({ kind: "staged", changeSet: id, working: true }));
  expect(staged).toHaveBeenCalledWith({ operations: [{ method: "PATCH", path: "/policies/shop", value: { mode: "detect" } }] });
  expect(discarded).not.toHaveBeenCalled();
});

test.each([200, 500])(
  "the first save names a change set that has no name; where that answers %s, it is saved all the same",
  async (status) => {
    const named = vi.fn();
    const id = "01970000-0000-7000-8000-000000000001";
    server.use(
      http.post(`/api/v1/change-sets/${id}/operations`, () => answer({ ...changeSet, message: "" })),
      http.patch(`/api/v1/change-sets/${id}`, async ({ request }) => {
        named(await request.json());
        return status === 200 ? answer(changeSet) : problem({ code: "internal", status });
      }),
    );
    await saved(`/?change_set=${id}`);
    await waitFor(() => expect(outcome).toHaveBeenCalledWith({ kind: "staged", changeSet: id, working: true }));
    expect(named).toHaveBeenCalledWith({ message: "why" });
  },
);
