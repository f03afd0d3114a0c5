import { createChangeSet, getPolicy, listChangeSets, type OperationBody, patchVhost, unwrap } from "@guard-proxy/client";
import { applyPlan, approveAll, bar, clientOf, h1, site } from "./harness/flow.ts";
import { expect, test } from "./harness/test.ts";

const title = (name: string, title: string): OperationBody => ({ method: "PATCH", path: `/policies/${name}`, value: { title } });

/** Somebody's own change set with one edit in it. */
async function edited(client: Parameters<typeof createChangeSet>[0]["client"], name: string) {
  const body = { message: `edit ${name}`, operations: [title(name, "Staged")] };
  return (await unwrap(createChangeSet({ client, body }))).id;
}

test("discarding a change set leaves it: pages show what is live", async ({ page, signedIn, api, guard, axe }) => {
  await site(api, "thrown");
  const id = await edited(await clientOf(guard.apiUrl, await signedIn(page, "editor")), "thrown");
  await page.goto(`/policies/thrown?change_set=${id}`);
  await expect(page.getByRole("main").getByText("Staged", { exact: true })).toBeVisible();
  await bar(page).getByRole("link", { name: "Look at it" }).click();
  await page.getByRole("button", { name: "Discard" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Discard" }).click();
  await expect(h1(page, "My change sets")).toBeVisible();
  await expect(page.getByText("It was discarded.")).toBeVisible();
  await expect(bar(page)).toBeHidden();
  expect(page.url()).not.toContain("change_set");
  await axe(page);
  // Its address is one of before.
  await page.goto(`/policies/thrown?change_set=${id}`);
  await expect(page.getByText("It was discarded.")).toBeVisible();
  await expect(h1(page, "thrown")).toBeVisible();
  await expect(page.getByRole("main").getByText("Staged", { exact: true })).toHaveCount(0);
});

test("committing on its own page leaves it", async ({ page, signedIn, api, guard }) => {
  await site(api, "ownpage");
  const id = await edited(await clientOf(guard.apiUrl, await signedIn(page, "editor")), "ownpage");
  await page.goto(`/changes/${id}?change_set=${id}`);
  await expect(bar(page)).toBeVisible();
  await page.getByRole("button", { name: "Plan and commit" }).click();
  await applyPlan(page);
  await expect(bar(page)).toBeHidden();
  expect(page.url()).not.toContain("change_set");
});

test("an address with somebody else's change set, or with none that there is, is left with words", async ({ page, signedIn, api }) => {
  await site(api, "foreign");
  const foreign = await edited(api, "foreign");
  await signedIn(page, "editor");
  for (const id of [foreign, "01970000-0000-7000-8000-000000000001"]) {
    await page.goto(`/vhosts/foreign?change_set=${id}`);
    await expect(page.getByText("It has ended, or it is not yours to see.")).toBeVisible();
    await expect(h1(page, "foreign")).toBeVisible();
    await expect(bar(page)).toBeHidden();
    expect(page.url()).not.toContain("change_set");
  }
});

test("a reviewer looks at all pages, and cannot save there", async ({ page, signedIn, api, guard, axe }) => {
  await site(api, "eyes", { protected: true });
  const admin = await clientOf(guard.apiUrl, await guard.as("admin"));
  await approveAll(admin);
  const writer = await clientOf(guard.apiUrl, await guard.as("editor"));
  const sent = await patchVhost({ client: writer, path: { vhost: "eyes" }, body: { title: "Staged" }, headers: { "If-Match": "*" } });
  expect(sent.response?.status).toBe(202);
  const [waits] = (await unwrap(listChangeSets({ client: admin, query: { review: true } }))).items;
  await signedIn(page, "admin");
  await page.goto(`/changes/${waits?.id}`);
  await page.getByRole("link", { name: "Look at all pages as it has them" }).click();
  const looking = page.getByRole("region", { name: "Change set that you look through" });
  await expect(looking).toContainText("You look through a change set");
  await page.getByRole("link", { name: "eyes", exact: true }).click();
  await expect(h1(page, "Staged")).toBeVisible();
  const edit = page.getByRole("button", { name: "Edit" });
  await expect(edit).toHaveAttribute("aria-disabled", "true");
  await edit.hover();
  await expect(page.getByText(/somebody else's: you look through it, and cannot save/)).toBeVisible();
  await expect(looking.getByRole("button", { name: "Plan and commit" })).toHaveCount(0);
  await axe(page);
  // Decided, it is not for others to see any more.
  await looking.getByRole("link", { name: "Look at it" }).click();
  await page.getByLabel("Reason").fill("not today");
  await page.getByRole("button", { name: "Reject" }).click();
  await expect(page.getByText("You are in the change set no more")).toBeVisible();
  await expect(looking).toBeHidden();
});

test("what is in a form is not forgotten at the commit; what one takes off is told, and can be taken out", async ({
  page,
  signedIn,
  axe,
}) => {
  await signedIn(page, "editor");
  await page.goto("/changes/mine");
  await page.getByRole("button", { name: "New change set" }).click();
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Policies" }).click();
  await page.getByRole("link", { name: "New policy" }).click();
  await page.getByRole("textbox", { name: "Name" }).fill("fleeting");
  await page.getByRole("button", { name: "Create" }).click();
  await expect(h1(page, "fleeting")).toBeVisible();
  // Named by its first save.
  await expect(bar(page)).toContainText("You work in a change set: Policy fleeting");
  await expect(bar(page)).toContainText("1 new so far");
  const commit = bar(page).getByRole("button", { name: "Plan and commit" });
  await expect(commit).not.toHaveAttribute("aria-disabled");
  await page.getByRole("textbox", { name: "Title" }).fill("T");
  await expect(commit).toHaveAttribute("aria-disabled", "true");
  await commit.hover();
  await expect(page.getByText("Save or undo what you changed on this page first.")).toBeVisible();
  await axe(page);
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("main").getByText("T", { exact: true })).toBeVisible();
  await expect(commit).not.toHaveAttribute("aria-disabled");
  // Outside of the change set there is no such policy: the list is shown.
  await bar(page).getByRole("button", { name: "Leave it" }).click();
  await expect(h1(page, "Policies")).toBeVisible();
  await expect(bar(page)).toBeHidden();
  await page.goBack();
  await expect(h1(page, "fleeting")).toBeVisible();
  await page.getByRole("button", { name: "Delete" }).click();
  await expect(page.getByText("Staged in your change set")).toBeVisible();
  await expect(bar(page)).toContainText("nothing so far");
  await page.getByRole("link", { name: "Take it out there" }).click();
  await expect(h1(page, "Policy fleeting")).toBeVisible();
  await expect(bar(page)).toBeVisible();
});

test("what was staged is saved, whatever becomes of its plan", async ({ page, signedIn, api, guard }) => {
  await site(api, "unplanned");
  const mine = await clientOf(guard.apiUrl, await signedIn(page, "editor"));
  const id = await edited(mine, "unplanned");
  const plan = "**/api/v1/change-sets/*/plan";
  const body = { type: "about:blank", code: "took_too_long", title: "Too long", detail: "It took too long.", status: 504, errors: [] };
  await page.route(plan, (route) => route.fulfill({ status: 504, contentType: "application/problem+json", json: body }));
  await page.goto(`/policies/unplanned?change_set=${id}`);
  await page.getByRole("textbox", { name: "Title" }).fill("Saved");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("main").getByText("Saved", { exact: true })).toBeVisible();
  await expect(page.getByText("Not saved yet")).toHaveCount(0);
  await expect(bar(page)).toContainText("All of it is staged");
  await page.unroute(plan);
  await bar(page).getByRole("button", { name: "Try again" }).click();
  await expect(bar(page)).not.toContainText("All of it is staged");
  const there = await unwrap(getPolicy({ client: mine, path: { policy: "unplanned" }, query: { change_set: id } }));
  expect(there.title).toBe("Saved");
});

test("a rule is not checked against what is live, nor a rollback made, from within a change set", async ({
  page,
  signedIn,
  api,
  guard,
}) => {
  const revision = await site(api, "within");
  const id = await edited(await clientOf(guard.apiUrl, await signedIn(page, "admin")), "within");
  await page.goto(`/policies/within/new-rule?change_set=${id}`);
  const check = page.getByRole("button", { name: "Check" });
  await check.hover();
  await expect(page.getByText("Saving checks it, together with the change set.")).toBeVisible();
  await site(api, "within-too");
  await page.goto(`/changes/revisions/${revision}/rollback?change_set=${id}`);
  const back = page.getByRole("button", { name: "Go back now" });
  await back.hover();
  await expect(page.getByText(/^Leave the change set first/)).toBeVisible();
});
