import { rename } from "node:fs/promises";
import { join } from "node:path";
import {
  approveChangeSet,
  createChangeSet,
  getPolicy,
  getVhost,
  isProblem,
  listRevisions,
  type OperationBody,
  patchPolicy,
  patchVhost,
  unwrap,
  waitLive,
} from "@guard-proxy/client";
import { applyPlan, approveAll, bar, clientOf, h1, site } from "./harness/flow.ts";
import { expect, test } from "./harness/test.ts";

test("a rollback is planned, confirmed, and followed until it is live", async ({ page, signedIn, api, axe }) => {
  await site(api, "back");
  const before = await site(api, "back-too");
  await waitLive(patchPolicy, { client: api, path: { policy: "back" }, body: { mode: "detect" }, headers: { "If-Match": "*" } });
  await signedIn(page, "operator");
  await page.goto("/changes");
  await expect(h1(page, "Changes")).toBeVisible();
  await page.getByRole("link", { name: String(before), exact: true }).click();
  await expect(h1(page, `Revision ${before}`)).toBeVisible();
  await expect(page.getByText("It went live.")).toBeVisible();
  await axe(page);
  await page.getByRole("link", { name: "Go back to this" }).click();
  await page.getByLabel("policy back", { exact: true }).check();
  await expect(page.getByText("mode: detect → block")).toBeVisible();
  await axe(page);
  await page.getByLabel("Message").fill("as it was");
  await page.getByRole("button", { name: "Go back now" }).click();
  await expect(page.getByRole("main").getByText(/^Revision \d+ is live and proven$/)).toBeVisible({ timeout: 30_000 });
  await axe(page);
  expect((await unwrap(getPolicy({ client: api, path: { policy: "back" } }))).mode).toBe("block");
  const [newest] = (await unwrap(listRevisions({ client: api, query: { limit: 1 } }))).items;
  expect(newest).toMatchObject({ message: "as it was", origin: { kind: "rollback", revision: before } });
});

test("the history of an object, and any two revisions side by side", async ({ page, signedIn, api, axe }) => {
  const first = await site(api, "history");
  await waitLive(patchPolicy, { client: api, path: { policy: "history" }, body: { title: "H" }, headers: { "If-Match": "*" } });
  await signedIn(page, "viewer");
  await page.goto("/changes?object=policies/history");
  await expect(h1(page, "History of policies/history")).toBeVisible();
  await expect(page.getByRole("table").getByRole("link", { name: "Back to this" })).toHaveCount(2);
  await page.getByLabel(`Select ${first}`).check();
  await page.getByLabel(`Select ${first + 1}`).check();
  await axe(page);
  await page.getByRole("link", { name: "Compare" }).click();
  await expect(h1(page, `From revision ${first} to ${first + 1}`)).toBeVisible();
  await page.getByRole("button", { name: /title/ }).click();
  await expect(page.getByText("After", { exact: true })).toBeVisible();
  await axe(page);
  await page.goto("/changes/deployments?state=live");
  await page.getByRole("table").getByRole("link").first().click();
  await expect(h1(page, /Deployment of revision/)).toBeVisible();
  await expect(page.getByText("verify", { exact: false }).first()).toBeVisible();
  await axe(page);
});

test("a viewer sees, and is told why nothing can be changed", async ({ page, signedIn, api }) => {
  const revision = await site(api, "seen");
  await site(api, "seen-too");
  await signedIn(page, "viewer");
  await page.goto(`/changes/revisions/${revision}`);
  const back = page.getByRole("button", { name: "Go back to this" });
  await expect(back).toHaveAttribute("aria-disabled", "true");
  await page.goto(`/changes/revisions/${revision}/rollback`);
  await expect(page.getByText("Not for you to do")).toBeVisible();
  await page.goto("/changes/review");
  await expect(page.getByText(/wants the role editor/)).toBeVisible();
  await page.goto("/audit");
  await expect(page.getByText(/wants the role admin/)).toBeVisible();
  await page.goto("/users");
  await expect(page.getByText("Not for you to see")).toBeVisible();
  await page.goto("/tokens");
  await expect(page.getByText("Not for you to see")).toBeVisible();
});

test("what an engine refuses is not committed: its words are in the plan, and mending it is enough", async ({
  page,
  signedIn,
  api,
  guard,
  axe,
}) => {
  await site(api, "refused");
  const person = await signedIn(page, "editor");
  const mine = await clientOf(guard.apiUrl, person);
  const rule = (seclang: string) => ({ custom_rules: [{ id: 190001, placement: "before", seclang }] });
  const bad = rule('SecRule ARGS:a "@rx (" "phase:2,deny,status:403"');
  const staged = await unwrap(
    createChangeSet({
      client: mine,
      body: {
        message: "a rule with a fault",
        operations: [{ method: "PATCH", path: "/policies/refused", value: bad as unknown as Record<string, unknown> }],
      },
    }),
  );
  await page.goto(`/changes/${staged.id}`);
  await expect(h1(page, "a rule with a fault")).toBeVisible();
  await page.getByRole("button", { name: "Plan and commit" }).click();
  await expect(page.getByText("It would be refused")).toBeVisible();
  await expect(page.getByRole("button", { name: "Apply now" })).toHaveAttribute("aria-disabled", "true");
  await axe(page);
  await page.getByRole("button", { name: "Close", exact: true }).click();
  // Mended here: as JSON.
  await page.getByRole("button", { name: "Edit refused as JSON" }).click();
  const json = page.getByRole("textbox", { name: "As JSON" });
  await json.fill((await json.inputValue()).replace("@rx (", "@streq 1"));
  await axe(page);
  await page.getByRole("button", { name: "Stage it so" }).click();
  await expect(json).toBeHidden();
  await page.getByRole("button", { name: "Plan and commit" }).click();
  await applyPlan(page);
  await expect(page.getByRole("main").getByText("committed", { exact: true })).toBeVisible();
  await axe(page);
});

test("what is refused after the commit cannot be overlooked; fixed, it is committed again", async ({ page, signedIn, api, guard, axe }) => {
  await site(api, "relapse");
  const mine = await clientOf(guard.apiUrl, await signedIn(page, "editor"));
  // Nobody to judge it before the commit: then the agent refuses it after.
  const socket = join(guard.state, "run/guard-spoa-validator.sock");
  await rename(socket, `${socket}.away`);
  const written = await patchPolicy({
    client: mine,
    path: { policy: "relapse" },
    body: { custom_rules: [{ id: 190001, placement: "before", seclang: 'SecRule ARGS:a "@rx (" "phase:2,deny,status:403"' }] },
    headers: { "If-Match": "*" },
    query: { message: "a relapse", wait: "live", wait_timeout_s: 60 },
  }).finally(() => rename(`${socket}.away`, socket));
  expect(isProblem(written.error, "refused") && written.error.deployment).toBeTruthy();
  expect((await unwrap(getPolicy({ client: api, path: { policy: "relapse" } }))).custom_rules).toEqual([]);

  await page.goto("/");
  await page.getByRole("main").getByRole("link", { name: "Refused: a relapse" }).click();
  await expect(page.getByText(/error parsing regexp/).first()).toBeVisible();
  await expect(page.getByRole("button", { name: "Plan and commit" })).toHaveAttribute("aria-disabled", "true");
  await axe(page);
  await page.getByRole("button", { name: "Fix and retry" }).click();
  // Mended where rules are written, as the change set has them.
  await page.getByRole("link", { name: "Edit relapse" }).click();
  await expect(bar(page)).toContainText("You work in a change set: a relapse");
  await page.getByRole("tab", { name: /^Custom rules/ }).click();
  await page.getByRole("link", { name: "190001" }).click();
  const write = async (text: string) => {
    await page.getByRole("textbox", { name: "Rule", exact: true }).click();
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.press("Delete");
    await page.keyboard.insertText(text);
    await page.getByRole("button", { name: "Save" }).click();
  };
  await write('SecRule ARGS:a "@rx [" "phase:2,deny,status:403"');
  await expect(bar(page)).toContainText("As it is, it would be refused");
  await expect(bar(page)).toContainText("missing closing ]");
  await axe(page);
  await page.getByRole("link", { name: "190001" }).click();
  await write('SecRule ARGS:a "@streq 1" "phase:2,deny,status:403"');
  await expect(bar(page)).not.toContainText("As it is, it would be refused");
  await expect(page.getByRole("link", { name: "190001" })).toBeVisible();
  await bar(page).getByRole("button", { name: "Plan and commit" }).click();
  await applyPlan(page);
  await expect(bar(page)).toBeHidden();
  expect((await unwrap(getPolicy({ client: api, path: { policy: "relapse" } }))).custom_rules).toHaveLength(1);
});

test("what one works on in a change set is on every page, and nowhere else until it is committed", async ({ page, signedIn, api, axe }) => {
  await site(api, "drafty");
  await signedIn(page, "editor");
  await page.goto("/changes/mine");
  await page.getByRole("button", { name: "New change set" }).click();
  await expect(bar(page)).toContainText("nothing so far");
  const places = page.getByRole("navigation", { name: "Main" });
  await places.getByRole("link", { name: "Policies" }).click();
  await page.getByRole("link", { name: "New policy" }).click();
  await page.getByRole("textbox", { name: "Name" }).fill("drafted");
  await page.getByRole("button", { name: "Create" }).click();
  await expect(h1(page, "drafted")).toBeVisible();
  await expect(bar(page)).toContainText("1 new so far");
  // What is staged is edited again, in its form.
  await page.getByRole("textbox", { name: "Title" }).fill("Draft");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("main").getByText("Draft", { exact: true })).toBeVisible();
  await axe(page);
  await places.getByRole("link", { name: "Vhosts" }).click();
  await page.getByRole("searchbox").fill("drafty");
  await page.getByRole("link", { name: "drafty", exact: true }).click();
  await page.getByRole("link", { name: "Edit" }).click();
  const policy = page.getByRole("combobox", { name: "Policy", exact: true }).or(page.getByRole("textbox", { name: "Policy", exact: true }));
  await policy.first().fill("drafted");
  await page.getByRole("option", { name: /^drafted\b/ }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(bar(page)).toContainText("1 new, 1 changed so far");
  await expect(page.getByRole("main").getByRole("link", { name: "drafted" }).first()).toBeVisible();

  expect((await unwrap(getVhost({ client: api, path: { vhost: "drafty" } }))).policy).toBe("drafty");
  expect(isProblem((await getPolicy({ client: api, path: { policy: "drafted" } })).error, "not_found")).toBe(true);
  await page.reload();
  await expect(bar(page)).toContainText("1 new, 1 changed so far");
  await expect(page.getByRole("main").getByRole("link", { name: "drafted" }).first()).toBeVisible();
  await bar(page).getByRole("button", { name: "Leave it" }).click();
  await expect(bar(page)).toBeHidden();
  await expect(page.getByRole("main").getByRole("link", { name: "drafty" }).first()).toBeVisible();
  await expect(page.getByRole("main").getByRole("link", { name: "drafted" })).toHaveCount(0);
  await page.goBack();
  await bar(page).getByRole("button", { name: "Plan and commit" }).click();
  await applyPlan(page);
  await expect(bar(page)).toBeHidden();
  await expect(page.getByRole("main").getByRole("link", { name: "drafted" }).first()).toBeVisible();
  expect(await unwrap(getPolicy({ client: api, path: { policy: "drafted" } }))).toMatchObject({ title: "Draft" });
});

test("a conflict shows both sides; what is chosen is on the newest revision then", async ({ page, signedIn, api, guard, axe }) => {
  await site(api, "contested");
  const mine = await clientOf(guard.apiUrl, await signedIn(page, "editor"));
  const operations: OperationBody[] = [{ method: "PATCH", path: "/policies/contested", value: { title: "Mine", description: "kept" } }];
  const staged = await unwrap(createChangeSet({ client: mine, body: { message: "contested", operations } }));
  await waitLive(patchPolicy, {
    client: api,
    path: { policy: "contested" },
    body: { title: "Theirs", mode: "detect" },
    headers: { "If-Match": "*" },
  });
  await page.goto(`/changes/${staged.id}`);
  await page.getByRole("button", { name: "Bring onto the newest revision" }).click();
  await expect(page.getByText("Somebody else changed the same")).toBeVisible();
  await axe(page);
  await page.getByRole("radio", { name: "Yours" }).check();
  await page.getByRole("button", { name: "Settle it so" }).click();
  await expect(page.getByText("title: Theirs → Mine")).toBeVisible();
  await expect(page.getByText(/description: .*kept/)).toBeVisible();
  await page.getByRole("button", { name: "Take out contested" }).click();
  await expect(page.getByText(/Nothing yet/)).toBeVisible();
  await page.getByRole("button", { name: "Change the message" }).click();
  await page.getByLabel("Message").fill("another name");
  await page.getByRole("button", { name: "Keep" }).click();
  await expect(h1(page, "another name")).toBeVisible();
  await page.getByRole("button", { name: "Discard" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Discard" }).click();
  await expect(h1(page, "My change sets")).toBeVisible();
});

test("four eyes: what one writes on a protected vhost waits until another says yes", async ({
  page,
  browser,
  guard,
  signedIn,
  api,
  axe,
}) => {
  await site(api, "vault", { protected: true });
  // A vhost that is to be protected is itself one that wants a second person.
  const two = await clientOf(guard.apiUrl, await guard.as("admin"));
  await approveAll(two);
  expect((await unwrap(getVhost({ client: api, path: { vhost: "vault" } }))).protected).toBe(true);

  const writer = await signedIn(page, "editor");
  const mine = await clientOf(guard.apiUrl, writer);
  const written = await patchVhost({ client: mine, path: { vhost: "vault" }, body: { title: "Opened" }, headers: { "If-Match": "*" } });
  expect(written.response?.status).toBe(202);
  await page.goto("/changes/mine");
  await page.getByRole("table").getByRole("link").first().click();
  await expect(page.getByText("It waits for approval; nothing of it is in force")).toBeVisible();
  await expect(page.getByText(/not you, and no token/)).toBeVisible();
  await expect(page.getByRole("button", { name: "Approve and commit" })).toHaveCount(0);
  await axe(page);
  const address = page.url();

  // The writer's own yes is refused by the server, whatever the page offers.
  const id = address.split("/").at(-1) ?? "";
  const own = await approveChangeSet({ client: mine, path: { change_set: id }, body: { version: 1, plan_digest: "x" } });
  expect(isProblem(own.error, "own_change")).toBe(true);

  const context = await browser.newContext({ baseURL: guard.apiUrl, reducedMotion: "reduce" });
  const other = await context.newPage();
  await signedIn(other, "admin");
  await other.goto("/changes");
  await other.getByRole("link", { name: "To approve" }).click();
  await axe(other);
  await other.getByRole("table").getByRole("link").first().click();
  await expect(other.getByRole("region", { name: "vhost vault" })).toBeVisible();
  await expect(other.getByRole("button", { name: "Reject" })).toHaveAttribute("aria-disabled", "true");
  await axe(other);
  await other.getByLabel("Reason").fill("Say who asked for it");
  await other.getByRole("button", { name: "Reject" }).click();
  await expect(other.getByText(/said no/).or(other.getByText("There is nothing"))).toBeVisible();

  // Rejected, it is its owner's again; asked for anew, the other says yes.
  await page.reload();
  await expect(page.getByText("Say who asked for it")).toBeVisible();
  await page.getByRole("button", { name: "Plan and commit" }).click();
  await page.getByRole("button", { name: "Ask for approval" }).click();
  await expect(page.getByText("It waits for approval by somebody else")).toBeVisible();
  await other.goto(address.replace(guard.apiUrl, ""));
  await other.getByLabel("Reason").fill("Ada asked for it");
  await other.getByRole("button", { name: "Approve and commit" }).click();
  // The page's head says of the revision before that it is live, too: what counts is the vhost.
  const title = async () => (await unwrap(getVhost({ client: api, path: { vhost: "vault" } }))).title;
  await expect.poll(title, { timeout: 30_000 }).toBe("Opened");
  await expect(other.getByRole("main").getByText(/^Revision \d+ is live and proven$/)).toBeVisible({ timeout: 30_000 });
  await context.close();

  await page.goto("/changes");
  await expect(page.getByText(/approved by/).first()).toBeVisible();
});

for (const path of ["/sign-in", "/", "/changes"]) {
  test(`${path} at 360 px`, async ({ page, signedIn, axe }) => {
    await page.setViewportSize({ width: 360, height: 740 });
    if (path !== "/sign-in") await signedIn(page);
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    await axe(page);
  });
}

test("a rollback at 360 px", async ({ page, signedIn, api, axe }) => {
  const revision = await site(api, "narrow");
  await waitLive(patchPolicy, { client: api, path: { policy: "narrow" }, body: { mode: "off" }, headers: { "If-Match": "*" } });
  await page.setViewportSize({ width: 360, height: 740 });
  await signedIn(page);
  await page.goto(`/changes/revisions/${revision}/rollback?objects=policies/narrow`);
  await expect(page.getByText("mode: off → block")).toBeVisible();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await axe(page);
  await page.getByRole("button", { name: "Go back now" }).click();
  await expect(page.getByRole("main").getByText(/^Revision \d+ is live and proven$/)).toBeVisible({ timeout: 30_000 });
});
