import type { ChangeSet, Conflict, Diff } from "@guard-proxy/client";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http } from "msw";
import { beforeEach, expect, test, vi } from "vitest";
import { unsaved } from "@/lib/unsaved";
import { draw } from "@/test/render";
import { answer, changeSet, plan, problem, roles, server } from "@/test/server";
import { Decided } from "./Decided";
import { EditStaged } from "./EditStaged";
import { OwnChangeSet } from "./OwnChangeSet";
import { Review } from "./Review";

const diff: Diff = plan.diff;
const refused: ChangeSet = {
  ...changeSet,
  state: "refused",
  refusal: {
    deployment: "d1",
    said: "unknown variable ARGZ",
    errors: [{ pointer: "/policies/shop/custom_rules/0/seclang", code: "refused", detail: "Rule 190001 does not compile." }],
  },
};
const waiting: ChangeSet = {
  ...changeSet,
  author: "user:eve@example.com",
  state: "awaiting_approval",
  approval: { vhosts: ["vault"], plan_digest: "digest", requested_at: "2026-01-01T00:00:00Z", decision: null },
};

beforeEach(() => {
  const approval = { kind: "approval" as const, about: "", scoped: true, read: "editor", create: null, update: "editor", delete: null };
  server.use(
    http.get("/api/v1/roles", () => answer({ ...roles, items: [...roles.items, approval] })),
    http.get("/api/v1/change-sets/c1/diff", () => answer(diff)),
    http.post("/api/v1/change-sets/c1/plan", () => answer(plan, 201)),
  );
});

test("a refused one has the engine's words, at the object that they are about, and wants to be mended first", async () => {
  const rebased = vi.fn();
  server.use(
    http.post("/api/v1/change-sets/c1/rebase", () => {
      rebased();
      return answer({ ...refused, state: "open" });
    }),
  );
  await draw(
    <>
      <Decided changeSet={refused} own />
      <OwnChangeSet changeSet={refused} />
    </>,
  );
  expect(screen.getByText("It was committed, refused, and taken back")).toBeInTheDocument();
  expect(screen.getByText("unknown variable ARGZ")).toBeInTheDocument();
  const object = await screen.findByRole("region", { name: "policy shop" });
  expect(within(object).getByText("Rule 190001 does not compile.")).toBeInTheDocument();
  expect(screen.getByRole("button", { name: "Plan and commit" })).toHaveAttribute("aria-disabled", "true");
  const retry = screen.getByRole("button", { name: "Fix and retry" });
  await waitFor(() => expect(retry).not.toHaveAttribute("aria-disabled"));
  await userEvent.click(retry);
  await waitFor(() => expect(rebased).toHaveBeenCalledOnce());
});

test("a conflict at the rebase shows both sides, each to be decided", async () => {
  const conflicts = [
    {
      kind: "policy" as const,
      name: "shop",
      element: "",
      fields: ["/title"],
      base: { title: "as it was" },
      yours: { title: "of mine" },
      theirs: { title: "of theirs" },
      theirs_revision: 9,
    },
    {
      kind: "policy" as const,
      name: "shop",
      element: "",
      fields: ["/custom_rules"],
      base: [{ id: 1 }, { id: 2 }, { id: 3 }],
      yours: [{ id: 2 }, { id: 1 }, { id: 3 }],
      theirs: [{ id: 1 }, { id: 3 }, { id: 2 }],
      theirs_revision: 9,
    },
  ] as unknown as Conflict[];
  server.use(http.post("/api/v1/change-sets/c1/rebase", () => problem({ code: "conflict", status: 409, conflicts })));
  await draw(<OwnChangeSet changeSet={{ ...changeSet, base: 1 }} />);
  const bring = screen.getByRole("button", { name: "Bring onto the newest revision" });
  await waitFor(() => expect(bring).not.toHaveAttribute("aria-disabled"));
  await userEvent.click(bring);
  expect(await screen.findByText(/of mine/)).toBeInTheDocument();
  expect(screen.getByText(/of theirs/)).toBeInTheDocument();
  const go = screen.getByRole("button", { name: "Settle it so" });
  expect(go).toBeDisabled();
  const [theirs, theirOrder] = screen.getAllByRole("radio", { name: "Theirs" });
  await userEvent.click(theirs as HTMLElement);
  expect(go).toBeDisabled();
  await userEvent.click(theirOrder as HTMLElement);
  expect(theirs).toBeChecked();
  expect(go).toBeEnabled();
});

test("a yes is to the plan that was seen; a no says why", async () => {
  const yes = vi.fn();
  const no = vi.fn();
  server.use(
    http.post("/api/v1/change-sets/c1/approve", async ({ request }) => {
      yes(await request.json());
      return answer({ ...waiting, state: "approved" });
    }),
    http.post("/api/v1/change-sets/c1/reject", async ({ request }) => {
      no(await request.json());
      return answer({ ...waiting, state: "open" });
    }),
  );
  await draw(<Review changeSet={waiting} />);
  const approve = await screen.findByRole("button", { name: "Approve and commit" });
  await waitFor(() => expect(approve).not.toHaveAttribute("aria-disabled"));
  const reject = screen.getByRole("button", { name: "Reject" });
  expect(reject).toHaveAttribute("aria-disabled", "true");
  await userEvent.type(screen.getByLabelText("Reason"), "because");
  await userEvent.click(screen.getByLabelText("Commit it at once"));
  await userEvent.click(screen.getByRole("button", { name: "Approve" }));
  await waitFor(() =>
    expect(yes).toHaveBeenCalledWith({ version: waiting.version, plan_digest: "digest", reason: "because", commit: false }),
  );
  await userEvent.click(reject);
  await waitFor(() => expect(no).toHaveBeenCalledWith({ reason: "because" }));
});

test("one's own change is said to be that", async () => {
  server.use(http.post("/api/v1/change-sets/c1/approve", () => problem({ code: "own_change", status: 403 })));
  await draw(<Review changeSet={waiting} />);
  const approve = await screen.findByRole("button", { name: "Approve and commit" });
  await waitFor(() => expect(approve).not.toHaveAttribute("aria-disabled"));
  await userEvent.click(approve);
  expect(await screen.findByText("It is your own change")).toBeInTheDocument();
});

test("who decided, and why, is there to be read", async () => {
  const decision = { approved: false, at: "2026-01-01T00:00:00Z", by: "user:bob@example.com", reason: "not on a Friday" };
  const decided: ChangeSet = { ...waiting, state: "open", approval: waiting.approval && { ...waiting.approval, decision } };
  await draw(<Decided changeSet={decided} own />);
  expect(screen.getByText("bob@example.com said no")).toBeInTheDocument();
  expect(screen.getByText(/not on a Friday/)).toBeInTheDocument();
});

test("the text of what is staged is not dropped by a key", async () => {
  server.use(http.get("/api/v1/policies/shop", () => answer({ name: "shop", mode: "block" })));
  const onClose = vi.fn();
  await draw(<EditStaged changeSet="c1" kind="policy" name="shop" errors={[]} onClose={onClose} onSaved={() => {}} />);
  const text = await screen.findByLabelText("As JSON");
  await userEvent.type(text, " ");
  expect(unsaved.get()).toBe(true);
  await userEvent.keyboard("{Escape}");
  expect(onClose).not.toHaveBeenCalled();
  await userEvent.click(
    within(await screen.findByRole("dialog", { name: "Close without staging?" })).getByRole("button", { name: "Close" }),
  );
  await waitFor(() => expect(onClose).toHaveBeenCalledOnce());
});

test("a reviewer's reason is kept as unsaved until it is decided", async () => {
  await draw(<Review changeSet={waiting} />);
  await userEvent.type(await screen.findByLabelText("Reason"), "too wide");
  expect(unsaved.get()).toBe(true);
});

test("what it changes is linked to as it is in there, also by those who are not; of one that has ended, as it is now", async () => {
  const { unmount } = await draw(<OwnChangeSet changeSet={changeSet} />);
  expect(await screen.findByRole("link", { name: "shop" })).toHaveAttribute("href", "/policies/shop?change_set=c1");
  unmount();
  await draw(<OwnChangeSet changeSet={{ ...changeSet, state: "discarded" }} />);
  expect(await screen.findByRole("link", { name: "shop" })).toHaveAttribute("href", "/policies/shop");
});

test("the vhosts of a plan are linked to as it makes them", async () => {
  await draw(<Review changeSet={waiting} />);
  const plan = await screen.findByRole("region", { name: "What that does" });
  expect(await within(plan).findByRole("link", { name: "shop" })).toHaveAttribute("href", "/vhosts/shop?change_set=c1");
});
