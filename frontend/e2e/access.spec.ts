import { createToken, listTokens, patchPolicy, putPolicy, unwrap } from "@guard-proxy/client";
import { expect, test } from "./harness/test.ts";

test("the audit log is searched by its address, one row is read whole, and the chain is verified", async ({ page, signedIn, api, axe }) => {
  const policy = "audited";
  await unwrap(putPolicy({ client: api, path: { policy }, body: { mode: "block" } as never, headers: { "If-None-Match": "*" } }));
  await unwrap(patchPolicy({ client: api, path: { policy }, body: { mode: "detect" }, headers: { "If-Match": "*" } }));
  await signedIn(page, "admin");
  await page.goto(`/audit?object=policy/${policy}&action=update`);
  const rows = page.getByRole("table").getByRole("link");
  await expect(rows).toHaveCount(1);
  await axe(page);
  await page.getByRole("searchbox").fill("nobody did this");
  await expect(page.getByText("No row is like this")).toBeVisible();
  await expect(page).toHaveURL(/q=nobody/);
  await page.goBack();
  await page.goto(`/audit?object=policy/${policy}&action=update`);
  await rows.first().click();
  await expect(page.getByRole("heading", { level: 1, name: /Audit row \d+/ })).toBeVisible();
  const mode = page.getByRole("row", { name: /^mode/ });
  await expect(mode).toContainText("block");
  await expect(mode).toContainText("detect");
  await axe(page);

  await page.goto("/audit");
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export all" }).click()]);
  const { readFile } = await import("node:fs/promises");
  const lines = (await readFile(await file.path(), "utf8")).trim().split("\n");
  expect(lines.length).toBeGreaterThan(5);
  expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ id: 1 });

  await page.getByRole("button", { name: "Verify" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Verify" }).click();
  await expect(dialog.getByText("Nothing was changed")).toBeVisible();
  await axe(page);
  await dialog.getByLabel("Begin behind").fill("1:00");
  await expect(dialog.getByText("64 hex digits")).toBeVisible();
});

test("somebody is invited by a link that is shown once, and signs in by it; disabled, they are out", async ({
  page,
  browser,
  guard,
  signedIn,
  axe,
}) => {
  await signedIn(page, "admin");
  await page.goto("/users");
  await axe(page);
  await page.getByRole("button", { name: "Invite" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("E-mail address").fill("grace@example.com");
  await dialog.getByText("For some vhosts").click();
  await dialog.getByRole("button", { name: "Invite" }).click();
  await expect(dialog.getByText(/Name a vhost, a label or a hostname/)).toBeVisible();
  await dialog.getByLabel("Vhosts, by name").fill("shop");
  await page.keyboard.press("Enter");
  await axe(page);
  await dialog.getByRole("button", { name: "Invite" }).click();
  await expect(dialog.getByText("It is shown this once: copy it now.")).toBeVisible();
  const link = (await dialog.getByLabel("the link", { exact: true }).textContent()) ?? "";
  expect(link).toContain("/setup#token=");
  await axe(page);
  // Until it is copied the dialog stays.
  await page.keyboard.press("Escape");
  await expect(dialog).toBeVisible();
  await dialog.getByLabel("I have copied it").check();
  await dialog.getByRole("button", { name: "Done" }).click();
  await expect(page.getByText("invited, no password")).toBeVisible();

  const context = await browser.newContext({ baseURL: guard.apiUrl });
  const other = await context.newPage();
  await other.goto(link);
  const password = "grace has a long sentence";
  await other.getByRole("textbox", { name: "Password" }).fill(password);
  await other.getByRole("textbox", { name: "Once more" }).fill(password);
  await other.getByRole("button", { name: "Choose this password" }).click();
  await other.getByRole("link", { name: "Sign in", exact: true }).click();
  await other.getByLabel("E-mail address").fill("grace@example.com");
  await other.getByRole("textbox", { name: "Password" }).fill(password);
  await other.getByRole("button", { name: "Sign in" }).click();
  await expect(other.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
  await other.goto("/me");
  await expect(other.getByText("viewer vhosts shop").first()).toBeVisible();
  await expect(other.getByText("this one")).toBeVisible();
  await axe(other);

  await page.reload();
  await page.getByRole("link", { name: "grace@example.com" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "grace@example.com" })).toBeVisible();
  await expect(page.getByRole("definition").filter({ hasText: "can sign in" })).toBeVisible();
  await axe(page);
  await page.getByRole("button", { name: "Disable" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Disable" }).click();
  await expect(page.getByText("disabled", { exact: true })).toBeVisible();
  await other.goto("/changes");
  await expect(other.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await context.close();
});

test("a token's text is shown once, works, and is revoked", async ({ page, request, guard, signedIn, api, axe }) => {
  await signedIn(page, "admin");
  await page.goto("/tokens");
  await axe(page);
  await page.getByRole("button", { name: "New token" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("pipeline");
  await dialog.getByLabel("these kinds of things").fill("status");
  await page.getByRole("option", { name: "status" }).click();
  await page.keyboard.press("Tab");
  await axe(page);
  await dialog.getByRole("button", { name: "Make the token" }).click();
  const text = (await dialog.getByLabel("the token", { exact: true }).textContent()) ?? "";
  expect(text).toMatch(/^gpx_/);
  await axe(page);
  const ask = (path: string) => request.get(`${guard.apiUrl}/api/v1${path}`, { headers: { authorization: `Bearer ${text}` } });
  expect((await ask("/status")).status()).toBe(200);
  expect((await ask("/policies")).status()).toBe(403);
  await dialog.getByLabel("I have copied it").check();
  await dialog.getByRole("button", { name: "Done" }).click();
  await expect(page.getByText("read: status everywhere")).toBeVisible();
  await expect(page.getByText(text)).toHaveCount(0);

  await page.getByRole("button", { name: "Revoke pipeline" }).click();
  const confirm = page.getByRole("dialog");
  await expect(confirm.getByRole("button", { name: "Revoke" })).toBeDisabled();
  await confirm.getByLabel("Type pipeline to go on").fill("pipeline");
  await confirm.getByRole("button", { name: "Revoke" }).click();
  await expect(page.getByText("read: status everywhere")).toHaveCount(0);
  expect((await ask("/status")).status()).toBe(401);
  const { items } = await unwrap(listTokens({ client: api }));
  expect(items.map(({ name }) => name)).not.toContain("pipeline");
  // The server's own words at the field.
  await unwrap(createToken({ client: api, body: { name: "taken", roles: [{ role: "viewer" }] } }));
  await page.getByRole("button", { name: "New token" }).click();
  await dialog.getByLabel("Name").fill("taken");
  await dialog.getByText("What a role may").click();
  await dialog.getByRole("button", { name: "Make the token" }).click();
  await expect(dialog.getByRole("alert")).toBeVisible();
});

test("an authenticator is set up with its code, asked for at the next sign-in, and taken off", async ({ page, guard, axe }) => {
  const person = await guard.person("viewer");
  await page.goto("/sign-in?redirect=/me");
  const signIn = async () => {
    await page.getByLabel("E-mail address").fill(person.email);
    await page.getByRole("textbox", { name: "Password" }).fill(person.password);
    await page.getByRole("button", { name: "Sign in" }).click();
  };
  await signIn();
  await page.getByRole("button", { name: "Set up an authenticator" }).click();
  await page.getByLabel("Your password").fill(person.password);
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page.getByRole("img", { name: "QR code for your authenticator" })).toBeVisible();
  await axe(page);
  const secret = await page.getByRole("link", { name: "Open it on this device" }).getAttribute("href");
  await page.getByRole("textbox", { name: "Code" }).fill(await code(secret ?? ""));
  await page.getByRole("button", { name: "Confirm" }).click();
  const codes = ((await page.getByLabel("the recovery codes", { exact: true }).textContent()) ?? "").split("\n");
  expect(codes).toHaveLength(10);
  await axe(page);
  await page.getByLabel("I have copied it").check();
  await page.getByRole("button", { name: "Done" }).click();
  await expect(page.getByText("A code is asked for beside the password.")).toBeVisible();

  await page.getByRole("button", { name: "Sign out everywhere" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Sign out everywhere" }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await signIn();
  await page.getByRole("textbox", { name: "Code" }).fill(codes[0] ?? "");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "My account" })).toBeVisible();
  await page.getByRole("button", { name: "Take it off" }).click();
  await page.getByLabel("Your password").fill(person.password);
  await page.getByRole("textbox", { name: "Code" }).fill(codes[1] ?? "");
  await page.getByRole("button", { name: "Take it off" }).click();
  await expect(page.getByText("Your password alone signs you in.")).toBeVisible();
});

/** RFC 6238, as an authenticator does it. */
async function code(uri: string): Promise<string> {
  const { createHmac } = await import("node:crypto");
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...(new URL(uri).searchParams.get("secret") ?? "")]
    .map((one) => alphabet.indexOf(one).toString(2).padStart(5, "0"))
    .join("");
  const seed = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const hash = createHmac("sha1", seed).update(counter).digest();
  const at = (hash.at(-1) ?? 0) & 15;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

test("settings, roles and the API's page are readable by everybody", async ({ page, signedIn, axe }) => {
  await signedIn(page, "viewer");
  for (const [path, title] of [
    ["/settings", "Settings"],
    ["/developers", "API"],
    ["/users/roles", "What roles may do"],
    ["/changes/mine", "My change sets"],
    ["/changes/deployments", "Deployments"],
  ] as const) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1, name: title })).toBeVisible();
    await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
    await axe(page);
  }
});
