import { getVhost, patchVhost, unwrap } from "@guard-proxy/client";
import type { Page } from "@playwright/test";
import { madeVhost } from "./harness/flow.ts";
import { expect, test } from "./harness/test.ts";

const ATTACK = "/?q=1%27%20OR%20%271%27=%271";

async function apply(page: Page) {
  const plan = page.getByRole("dialog", { name: "What this does" });
  await plan.getByRole("button", { name: "Apply now" }).click();
  const done = page.getByRole("dialog", { name: /^Revision \d+$/ });
  await expect(done.getByText(/Revision \d+ is live and proven/)).toBeVisible();
  await done.getByRole("button", { name: "Close", exact: true }).last().click();
}

async function choose(page: Page, label: string, name: string) {
  await page
    .getByRole("combobox", { name: label, exact: true })
    .or(page.getByRole("textbox", { name: label, exact: true }))
    .first()
    .fill(name);
  await page.getByRole("option", { name: new RegExp(`^${name}\\b`) }).click();
}

test("a new vhost is live and proven; with another policy an attack is blocked", async ({ page, signedIn, guard, api }) => {
  const server = (await unwrap(getVhost({ client: api, path: { vhost: "shop" } }))).upstream.servers[0];
  await signedIn(page, "editor");
  await page.goto("/vhosts");
  await page.getByRole("link", { name: "New vhost" }).click();
  await page.getByRole("textbox", { name: "Name" }).first().fill("garden");
  await page.getByRole("textbox", { name: "Title" }).fill("Garden");
  await page.getByRole("combobox", { name: "Hostnames" }).fill("garden.localhost");
  await choose(page, "Policy", "blog");
  await page.getByRole("textbox", { name: "Address" }).fill("127.0.0.1");
  await page.getByRole("textbox", { name: "Port" }).fill(`${server?.port}`);
  await page.getByRole("button", { name: "Create" }).click();
  await apply(page);
  await expect(page.getByRole("heading", { level: 1, name: "Garden" })).toBeVisible();
  await page.getByRole("tab", { name: "Proof" }).click();
  await expect(page.getByRole("table", { name: "Probes" })).toContainText("canary");
  await expect(page.getByRole("tabpanel").getByText("reports only")).toBeVisible();
  expect(await guard.site("garden.localhost")).toBe(200);
  expect(await guard.site("garden.localhost", ATTACK)).toBe(200);

  await page.getByRole("link", { name: "Edit" }).click();
  await choose(page, "Policy", "shop");
  await page.getByRole("button", { name: "Save" }).click();
  await apply(page);
  await expect(page.getByRole("heading", { level: 1, name: "Garden" })).toBeVisible();
  expect(await guard.site("garden.localhost", ATTACK)).toBe(403);
  expect(await guard.site("garden.localhost")).toBe(200);
});

test("what the server refuses is said at its field, and nothing is lost", async ({ page, signedIn }) => {
  await signedIn(page, "editor");
  await page.goto("/vhosts/new");
  await page.getByRole("textbox", { name: "Title" }).fill("Wrong");
  await page.getByRole("button", { name: "Create" }).click();
  await expect(page.getByLabel("Name", { exact: false }).first()).toBeFocused();
  await expect(page.getByText("Letters a to z, digits and hyphens; the first is no hyphen.")).toBeVisible();

  await page.getByRole("textbox", { name: "Name" }).first().fill("wrong");
  await page.getByRole("combobox", { name: "Hostnames" }).fill("shop.localhost");
  await choose(page, "Policy", "shop");
  await page.getByRole("textbox", { name: "Address" }).fill("nowhere");
  await page.getByRole("textbox", { name: "Port" }).fill("80");
  await page.getByRole("button", { name: "Create" }).click();
  const address = page.getByRole("textbox", { name: "Address" });
  await expect(address).toHaveAccessibleDescription(/invalid IP address/);
  await address.fill("127.0.0.1");
  await page.getByRole("button", { name: "Create" }).click();
  await expect(page.getByText(/`shop.localhost` belongs to vhost `shop`/).first()).toBeVisible();
  await expect(page.getByRole("textbox", { name: "Title" })).toHaveValue("Wrong");

  // Leaving asks first.
  await page.getByRole("link", { name: "Policies" }).click();
  const asked = page.getByRole("dialog", { name: "Leave without saving?" });
  await asked.getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByRole("textbox", { name: "Title" })).toHaveValue("Wrong");
});

test("of two editors neither is overwritten: both versions are shown", async ({ page, signedIn, api }) => {
  await madeVhost(api, "twice", { title: "Twice", description: "as it was" });
  await signedIn(page, "editor");
  await page.goto("/vhosts/twice/edit");
  await page.getByRole("textbox", { name: "Title" }).fill("Mine");
  await page.getByRole("textbox", { name: "Description" }).fill("by me");
  const body = { title: "Theirs", labels: { team: "web" } };
  await unwrap(patchVhost({ client: api, path: { vhost: "twice" }, body, headers: { "If-Match": "*" } }));
  await expect(page.getByText("Somebody else saved this vhost meanwhile")).toBeVisible();
  await page.getByRole("button", { name: "Save" }).click();

  const both = page.getByRole("dialog", { name: "Vhost twice was changed meanwhile" });
  await expect(both.getByText("Mine", { exact: true }).last()).toBeVisible();
  await expect(both.getByText("Theirs", { exact: true }).last()).toBeVisible();
  await both.getByRole("radio", { name: "/title: mine" }).check();
  await both.getByRole("button", { name: "Go on with this" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await apply(page);
  const { title, description, labels } = await unwrap(getVhost({ client: api, path: { vhost: "twice" } }));
  expect({ title, description, labels }).toEqual({ title: "Mine", description: "by me", labels: { team: "web" } });
});

test("a viewer sees everything, and why nothing can be changed", async ({ page, signedIn }) => {
  await signedIn(page, "viewer");
  await page.goto("/vhosts/shop");
  const edit = page.getByRole("button", { name: "Edit" });
  await expect(edit).toHaveAttribute("aria-disabled", "true");
  await edit.focus();
  await expect(page.getByRole("tooltip")).toHaveText("To change vhosts wants the role editor; you are viewer.");
  await page.goto("/vhosts/shop/edit");
  await expect(page.getByRole("textbox", { name: "Title" })).toBeDisabled();
  await expect(page.getByRole("button", { name: "Save" })).toHaveAttribute("aria-disabled", "true");
  await page.goto("/vhosts");
  await expect(page.getByRole("button", { name: "New vhost" })).toHaveAttribute("aria-disabled", "true");
});

test("several are changed by one change set, found by their label", async ({ page, signedIn, guard, api }) => {
  for (const name of ["bulk-a", "bulk-b", "bulk-c"]) await madeVhost(api, name, { labels: { group: "bulk" } });
  await signedIn(page, "editor");
  await page.goto("/vhosts?label=%5B%22group:bulk%22%5D");
  await expect(page.getByRole("link", { name: /^bulk-/ })).toHaveCount(3);
  await page.getByRole("checkbox", { name: "Select bulk-a" }).check();
  await page.getByRole("checkbox", { name: "Select bulk-b" }).check();
  await page.getByRole("button", { name: "Give a policy" }).click();
  const modal = page.getByRole("dialog", { name: "A policy for 2 vhosts" });
  await modal.getByLabel("Policy", { exact: true }).first().fill("shop");
  await page.getByRole("option", { name: "shop" }).click();
  await modal.getByRole("button", { name: "See what it does" }).click();
  await expect(page.getByText("Vhosts treated otherwise: 2")).toBeVisible();
  await apply(page);
  expect(await guard.site("bulk-a.localhost", ATTACK)).toBe(403);
  expect(await guard.site("bulk-c.localhost", ATTACK)).toBe(200);

  await page.getByRole("checkbox", { name: "Select all that are loaded" }).check();
  await page.getByRole("button", { name: "Disable" }).click();
  await apply(page);
  await expect(page.getByText("disabled", { exact: true })).toHaveCount(3);
  expect(await guard.site("bulk-b.localhost")).toBe(421);
  await page.getByText("Enabled", { exact: true }).click();
  await expect(page.getByText("No vhost is like this")).toBeVisible();
});

test("a protected vhost waits for a second person, and the save says so", async ({ page, signedIn, api, guard }) => {
  await madeVhost(api, "treasury");
  await signedIn(page, "editor");
  await page.goto("/vhosts/treasury/edit");
  await page.getByRole("switch", { name: "Protected" }).check();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "Ask for approval" }).click();
  const waits = page.getByRole("dialog", { name: "Not applied yet" });
  await expect(waits.getByText("It waits for approval by somebody else")).toBeVisible();
  await waits.getByRole("button", { name: "Close" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "treasury" })).toBeVisible();
  expect((await unwrap(getVhost({ client: api, path: { vhost: "treasury" } }))).protected).toBe(false);

  // Somebody else finds it on the overview.
  await page.context().clearCookies();
  await signedIn(page, "admin");
  await page.goto("/");
  await expect(page.getByRole("link", { name: /^Awaits your approval: Vhost treasury: protected/ })).toBeVisible();
  expect(await guard.site("treasury.localhost")).toBe(200);
});

test("a vhost is disabled, and deleted after it was said what that means", async ({ page, signedIn, api, guard }) => {
  await madeVhost(api, "gone");
  await signedIn(page, "editor");
  await page.goto("/vhosts/gone");
  await page.getByRole("button", { name: "Disable" }).click();
  await apply(page);
  await expect(page.getByText("It is disabled")).toBeVisible();
  expect(await guard.site("gone.localhost")).toBe(421);
  await page.getByRole("button", { name: "Delete" }).click();
  const asked = page.getByRole("dialog", { name: "Delete the vhost gone?" });
  await expect(asked).toContainText("Requests to gone.localhost get 421");
  await asked.getByRole("button", { name: "See what it does" }).click();
  await apply(page);
  await expect(page).toHaveURL(/\/vhosts$/);
  await page.goto("/vhosts/gone");
  await expect(page.getByText("There is no such vhost")).toBeVisible();
});
