import { type Client, getPolicy, listExclusions, patchVhost, putPolicy, unwrap } from "@guard-proxy/client";
import { applyPlan } from "./harness/flow.ts";
import { expect, test } from "./harness/test.ts";

type Sites = { site(hostname: string, path?: string): Promise<number> };
const ATTACK = encodeURIComponent("1' OR '1'='1");
const attack = (guard: Sites, parameter = "q") => guard.site("blog.localhost", `/?${parameter}=${ATTACK}`);

/** What the demo's blog is treated by; proven when this ends. */
async function blogUses(client: Client, policy: string) {
  await unwrap(patchVhost({ client, path: { vhost: "blog" }, body: { policy }, headers: { "If-Match": "*" }, query: { wait: "live" } }));
}

test("a new policy blocks an attack on the wire, and lets it pass when it only detects", async ({ page, guard, api, signedIn, axe }) => {
  await signedIn(page);
  await page.goto("/policies/new");
  await axe(page);
  await page.getByRole("textbox", { name: "Name" }).fill("careful");
  await page.getByRole("textbox", { name: "Title" }).fill("Careful");
  await page.getByRole("radio", { name: /^Block/ }).click();
  await page.getByRole("radiogroup", { name: "Detection paranoia level" }).getByText("3").click();
  await expect(page.getByText("Shadow mode")).toBeVisible();
  await page.getByRole("button", { name: "Create" }).click();
  await applyPlan(page);
  await expect(page.getByRole("heading", { level: 1, name: "careful" })).toBeVisible();
  const made = await unwrap(getPolicy({ client: api, path: { policy: "careful" } }));
  expect([made.mode, made.paranoia]).toEqual(["block", { blocking: 1, detection: 3 }]);

  expect(await attack(guard)).toBe(200);
  await blogUses(api, "careful");
  expect(await attack(guard)).toBe(403);

  await page.reload();
  await expect(page.getByRole("tab", { name: "Used by (1)" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Delete" })).toHaveAttribute("aria-disabled", "true");
  await page.getByRole("radio", { name: /^Detect/ }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(
    page
      .getByRole("dialog", { name: "What this does" })
      .getByText(/mode: block → detect/)
      .first(),
  ).toBeVisible();
  await axe(page);
  await applyPlan(page);
  expect(await attack(guard)).toBe(200);
  // What is saved is no longer unsaved.
  await page.getByRole("link", { name: "Policies" }).first().click();
  await expect(page.getByRole("heading", { level: 1, name: "Policies" })).toBeVisible();
  await blogUses(api, "blog");
});

test("at another paranoia level another verdict is given on the wire", async ({ page, guard, api, signedIn }) => {
  await unwrap(putPolicy({ client: api, path: { policy: "levels" }, body: { mode: "block" }, headers: { "If-None-Match": "*" } }));
  await blogUses(api, "levels");
  // A comment of SQL: rule 942440 looks for it, from level 2.
  const comment = () => guard.site("blog.localhost", "/?q=a--%20b");
  expect(await comment()).toBe(200);
  await signedIn(page, "editor");
  await page.goto("/policies/levels");
  for (const [level, status] of [
    ["2", 403],
    ["1", 200],
  ] as const) {
    await page.getByRole("radiogroup", { name: "Blocking paranoia level" }).getByText(level).click();
    await page.getByRole("button", { name: "Save" }).click();
    await applyPlan(page);
    expect(await comment()).toBe(status);
  }
  await blogUses(api, "blog");
});

test("an exclusion lets a good request pass, and only that", async ({ page, guard, api, signedIn, axe }) => {
  await unwrap(putPolicy({ client: api, path: { policy: "strict" }, body: { mode: "block" }, headers: { "If-None-Match": "*" } }));
  await blogUses(api, "strict");
  expect(await attack(guard, "comment")).toBe(403);
  await signedIn(page, "editor");
  await page.goto("/policies/strict?tab=exclusions");
  await axe(page);
  await page.getByRole("link", { name: "New exclusion" }).click();
  await page.getByRole("textbox", { name: "Rule" }).fill("942100");
  await page.getByRole("combobox", { name: "Target" }).fill("ARGS:comment");
  await page.getByRole("textbox", { name: "Reason" }).fill("People quote SQL");
  await page.getByRole("textbox", { name: "Owner" }).fill("web team");
  await expect(page.getByText("Rule 942100 no longer looks at ARGS:comment everywhere.")).toBeVisible();
  await axe(page);
  await page.getByRole("button", { name: "Create" }).click();
  await applyPlan(page);
  await expect(page.getByRole("link", { name: "rule-942100-args-comment" })).toBeVisible();
  expect(await attack(guard, "comment")).toBe(200);
  expect(await attack(guard, "other")).toBe(403);

  // What the server says of a field is at that field.
  await page.getByRole("link", { name: "rule-942100-args-comment" }).click();
  await page.getByRole("combobox", { name: "Target" }).fill("COMMENTS");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText(/^a target is one of ARGS/)).toBeVisible();
  await page.getByRole("combobox", { name: "Target" }).fill("ARGS:comment");
  // One that is past is kept, and shown as expired.
  await page.getByLabel("Expires").fill("2026-01-01T00:00");
  await page.getByRole("button", { name: "Save" }).click();
  await applyPlan(page);
  await expect(page.getByText("expired", { exact: true })).toBeVisible();
  expect(await attack(guard, "comment")).toBe(403);
  const { items } = await unwrap(listExclusions({ client: api, path: { policy: "strict" } }));
  expect(items).toMatchObject([{ target: "ARGS:comment", owner: "web team", expires_at: "2026-01-01T00:00:00Z" }]);
  await blogUses(api, "blog");
});

test("a custom rule is marked where the server refuses it, and blocks when it is mended", async ({ page, guard, signedIn, axe }) => {
  await signedIn(page);
  await page.goto("/policies/shop?tab=rules");
  await axe(page);
  await page.getByRole("link", { name: "New rule" }).click();
  const editor = page.getByRole("textbox", { name: "Rule", exact: true });
  const write = async (text: string) => {
    await editor.click();
    await page.keyboard.press("ControlOrMeta+a");
    // What is written over a selection the browser styles itself, inline, and the policy says so.
    await page.keyboard.press("Delete");
    await page.keyboard.insertText(text);
  };
  await write(`SecRule ARGS:secret "@streq 1" \\\n  "phase:2,deny,exec:/bin/sh"`);
  await page.getByRole("button", { name: "Create" }).click();
  await expect(page.getByText("Line 2, column 17: `exec` runs a program")).toBeVisible();
  await expect(page.locator(".cm-lintRange-error")).toHaveText("exec");
  await axe(page);
  await write(`SecRule ARGS:secret "@streq 1" \\\n  "phase:2,deny,status:403,msg:'secret'"`);
  await page.getByRole("button", { name: "Check" }).click();
  await expect(page.getByText("Coraza has compiled it, and takes it.")).toBeVisible();
  await expect(page.locator(".cm-lintRange-error")).toHaveCount(0);
  expect(await guard.site("shop.localhost", "/?secret=1")).toBe(200);
  await page.getByRole("button", { name: "Create" }).click();
  await applyPlan(page);
  await expect(page.getByRole("link", { name: "190002" })).toBeVisible();
  expect(await guard.site("shop.localhost", "/?secret=1")).toBe(403);
});

test("policies are searched, filtered and copied; what is used is not deleted", async ({ page, api, signedIn, axe }) => {
  await signedIn(page);
  await page.goto("/policies?mode=%5B%22detect%22%5D");
  await expect(page.getByRole("link", { name: "blog" })).toBeVisible();
  await expect(page.getByRole("link", { name: "shop" })).toBeHidden();
  await axe(page);
  await page.getByRole("group", { name: "Only these modes" }).getByText("Detect").click();
  await page.getByRole("searchbox").fill("shop");
  await expect(page).toHaveURL(/q=shop/);
  await page.getByRole("checkbox", { name: "Select shop" }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  // Other tests' vhosts may use it, too.
  await expect(page.getByText(/policy `shop` is used by .*`shop`.*`tenants`/)).toBeVisible();
  await page.getByRole("link", { name: "shop", exact: true }).click();
  await page.getByRole("tab", { name: /^Used by/ }).click();
  await expect(page.getByRole("link", { name: "tenants" })).toBeVisible();
  await axe(page);
  await page.getByRole("link", { name: "Copy" }).click();
  await page.getByRole("textbox", { name: "Name" }).fill("shop-two");
  await page.getByRole("button", { name: "Create" }).click();
  await applyPlan(page);
  const { meta: _, name: __, ...copy } = await unwrap(getPolicy({ client: api, path: { policy: "shop-two" } }));
  expect(await unwrap(getPolicy({ client: api, path: { policy: "shop" } }))).toMatchObject(copy);
  await page.getByRole("button", { name: "Delete" }).click();
  await applyPlan(page);
  await expect(page.getByRole("heading", { level: 1, name: "Policies" })).toBeVisible();
});

test("two who save the same see both versions", async ({ page, api, signedIn }) => {
  await unwrap(putPolicy({ client: api, path: { policy: "disputed" }, body: { title: "First" }, headers: { "If-None-Match": "*" } }));
  await signedIn(page);
  await page.goto("/policies/disputed");
  await page.getByRole("textbox", { name: "Title" }).fill("Mine");
  const body = { title: "Theirs", description: "Also theirs" };
  await unwrap(putPolicy({ client: api, path: { policy: "disputed" }, body, headers: { "If-Match": "*" } }));
  await expect(page.getByText("Somebody else saved this policy meanwhile")).toBeVisible();
  await page.getByRole("button", { name: "Save" }).click();
  const conflict = page.getByRole("dialog", { name: "Policy disputed was changed meanwhile" });
  await conflict.getByRole("radio", { name: "/title: mine" }).click();
  await conflict.getByRole("button", { name: "Go on with this" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await applyPlan(page);
  expect(await unwrap(getPolicy({ client: api, path: { policy: "disputed" } }))).toMatchObject({
    title: "Mine",
    description: "Also theirs",
  });
});

test("who may only read can see all of it, and is told why nothing can be saved", async ({ page, signedIn, axe }) => {
  await signedIn(page, "viewer");
  await page.goto("/policies/shop");
  await expect(page.getByRole("textbox", { name: "Title" })).toBeDisabled();
  await page.getByRole("button", { name: "Save" }).hover();
  await expect(page.getByText(/wants the role editor/).first()).toBeVisible();
  await axe(page);
});
