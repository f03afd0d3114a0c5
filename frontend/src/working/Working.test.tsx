import type { ChangeSet, Plan } from "@guard-proxy/client";
import { notifications } from "@mantine/notifications";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http } from "msw";
import { beforeEach, expect, type MockInstance, test, vi } from "vitest";
import { useMe } from "@/auth/use-me";
import { UnsavedGuard } from "@/components/UnsavedGuard";
import { changeSetQuery } from "@/features/changes/queries";
import { draw } from "@/test/render";
import { answer, changeSet, plan, problem, server } from "@/test/server";
import Working from "./Working";

const ID = "01970000-0000-7000-8000-000000000001";
let told: MockInstance<typeof notifications.show>;
const drawn = vi.fn();

function Page({ dirty }: { dirty: boolean }) {
  const { can } = useMe();
  drawn();
  return (
    <>
      <UnsavedGuard dirty={dirty} />
      <p>Saving: {can("update", "ip_list").disabledReason ?? "yes"}</p>
      <p>Reading: {can("read", "ip_list").disabledReason ?? "yes"}</p>
    </>
  );
}

const reads = (over: Partial<ChangeSet> | ReturnType<typeof problem>) =>
  server.use(
    http.get(`/api/v1/change-sets/${ID}`, () => (over instanceof Response ? over.clone() : answer({ ...changeSet, id: ID, ...over }))),
  );
const plans = (made: Partial<Plan>) => server.use(http.post(`/api/v1/change-sets/${ID}/plan`, () => answer({ ...plan, ...made }, 201)));
const works = (dirty = false) =>
  draw(
    <Working id={ID}>
      <Page dirty={dirty} />
    </Working>,
    `/?change_set=${ID}`,
  );

beforeEach(() => {
  told = vi.spyOn(notifications, "show");
  drawn.mockClear();
  plans({});
});

test.each([
  ["discarded", { state: "discarded" as const }, "It was discarded."],
  ["committed", { state: "committed" as const, revision: 8 }, "It was committed as revision 8."],
  ["rejected, and its owner's", { author: "user:eve@example.com" }, "It waits for approval no more: only its owner sees it."],
])("one that is %s is left, and that is told", async (_, over, message) => {
  reads(over);
  const { router } = await works();
  await waitFor(() => expect(router.state.location.search).toEqual({}));
  await waitFor(() => expect(told).toHaveBeenCalledWith(expect.objectContaining({ message })));
});

test("one that is not there for the reader is left before a page asks for anything through it", async () => {
  reads(problem({ code: "not_found", status: 404 }));
  const { router } = await works();
  await waitFor(() => expect(router.state.location.search).toEqual({}));
  expect(drawn).not.toHaveBeenCalled();
  await waitFor(() => expect(told).toHaveBeenCalledWith(expect.objectContaining({ message: "It has ended, or it is not yours to see." })));
});

test("one that cannot be read just now is not left", async () => {
  reads(problem({ code: "unavailable", status: 503, title: "Not now" }));
  const { router } = await works();
  expect(await screen.findByText("Not now")).toBeInTheDocument();
  expect(router.state.location.search).toEqual({ change_set: ID });
  reads({});
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("Saving: yes")).toBeInTheDocument();
});

test("one that ends meanwhile is left, though not from under a form", async () => {
  reads({});
  const { router, queries } = await works(true);
  expect(await screen.findByText("Saving: yes")).toBeInTheDocument();
  reads({ state: "discarded" });
  await queries.invalidateQueries({ queryKey: changeSetQuery(ID).queryKey });
  const asked = await screen.findByRole("dialog", { name: "Leave without saving?" });
  expect(screen.getByText("Saving: The change set has ended: leave it first.")).toBeInTheDocument();
  expect(told).not.toHaveBeenCalled();
  await userEvent.click(within(asked).getByRole("button", { name: "Leave" }));
  await waitFor(() => expect(router.state.location.search).toEqual({}));
});

test("who looks through somebody else's reads, and cannot save", async () => {
  reads({ author: "user:eve@example.com", state: "awaiting_approval" });
  await works();
  const bar = await screen.findByRole("region", { name: "Change set that you look through" });
  expect(await screen.findByText(/^Saving: The change set is somebody else's/)).toBeInTheDocument();
  expect(screen.getByText("Reading: yes")).toBeInTheDocument();
  expect(within(bar).queryByRole("button", { name: "Plan and commit" })).toBeNull();
});

test("in a refused one nothing can be saved before it is brought onto the newest revision", async () => {
  reads({ state: "refused" });
  await works();
  expect(await screen.findByText(/^Saving: The change set was refused: fix and retry/)).toBeInTheDocument();
});

test("what is in the way is said of the version that is there, and of no other", async () => {
  reads({ version: 1 });
  const conflict = {
    kind: "policy" as const,
    name: "shop",
    element: "",
    fields: ["/title"],
    base: {},
    yours: {},
    theirs: {},
    theirs_revision: 9,
  };
  plans({ errors: [{ pointer: "/policies/shop/mode", code: "x", detail: "Not so." }], conflicts: [conflict] });
  const { queries } = await works();
  expect(await screen.findByText("Not so.")).toBeInTheDocument();
  expect(screen.getByText(/^policy shop.*\/title$/)).toBeInTheDocument();
  reads({ version: 2 });
  plans({});
  await queries.invalidateQueries({ queryKey: changeSetQuery(ID).queryKey });
  await waitFor(() => expect(screen.queryByText("Not so.")).toBeNull());
  expect(screen.queryByText(/Somebody else changed the same/)).toBeNull();
});

test("a plan that fails is said to be that, and can be tried again", async () => {
  reads({});
  server.use(http.post(`/api/v1/change-sets/${ID}/plan`, () => problem({ code: "unavailable", status: 503 })));
  await works();
  expect(await screen.findByText(/^All of it is staged/)).toBeInTheDocument();
  plans({ errors: [{ pointer: "", code: "x", detail: "Not so." }] });
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("Not so.")).toBeInTheDocument();
});

test("it is not committed without what is in a form", async () => {
  reads({});
  await works(true);
  const commit = await screen.findByRole("button", { name: "Plan and commit" });
  await waitFor(() => expect(commit).toHaveAttribute("aria-disabled", "true"));
  await userEvent.hover(commit);
  expect(await screen.findByText("Save or undo what you changed on this page first.")).toBeInTheDocument();
});

test("what goes wrong at the commit is said in the bar", async () => {
  reads({});
  await works();
  const commit = await screen.findByRole("button", { name: "Plan and commit" });
  await waitFor(() => expect(commit).not.toHaveAttribute("aria-disabled"));
  server.use(http.post(`/api/v1/change-sets/${ID}/plan`, () => problem({ code: "internal", status: 500, title: "It broke" })));
  await userEvent.click(commit);
  expect(await screen.findByText("It broke")).toBeInTheDocument();
});
