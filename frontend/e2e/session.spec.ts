import { createGuardProxy, createUser, endUserSessions, listUsers, signIn, unwrap } from "@guard-proxy/client";
import { applyPlan } from "./harness/flow.ts";
import { expect, test } from "./harness/test.ts";

test("an invitation's link leads to a password, and that to the panel", async ({ page, api, axe }) => {
  const email = "first@example.com";
  const { setup } = await unwrap(createUser({ client: api, body: { email, roles: [{ role: "viewer" }] } }));
  await page.goto(`/setup#token=${setup?.token}`);
  await axe(page);
  await page.getByLabel("E-mail address").fill(email);
  await page.getByRole("textbox", { name: "Password" }).fill("a long sentence to enter");
  await page.getByRole("textbox", { name: "Once more" }).fill("another sentence");
  await page.getByRole("button", { name: "Choose this password" }).click();
  await expect(page.getByText("Not the same.")).toBeVisible();
  await page.getByRole("textbox", { name: "Once more" }).fill("a long sentence to enter");
  await page.getByRole("button", { name: "Choose this password" }).click();
  await page.getByRole("link", { name: "Sign in", exact: true }).click();
  await page.getByLabel("E-mail address").fill(email);
  await page.getByRole("textbox", { name: "Password" }).fill("a long sentence to enter");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
});

test("a page asks for the sign-in and comes back after it; signing out ends the session", async ({ page, guard, axe }) => {
  const { email, password } = await guard.as("admin");
  await page.goto("/ip-lists?q=none");
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await axe(page);
  await page.getByLabel("E-mail address").fill(email);
  await page.getByRole("textbox", { name: "Password" }).fill("a wrong sentence");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await page.getByRole("textbox", { name: "Password" }).fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "IP lists" })).toBeVisible();
  await expect(page).toHaveURL(/\/ip-lists\?q=none$/);
  // The cookie alone brings a tab back.
  await page.reload();
  await expect(page.getByRole("heading", { level: 1, name: "IP lists" })).toBeVisible();
  await page.getByRole("button", { name: "Account and appearance" }).click();
  await page.getByRole("menuitem", { name: "Sign out", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
});

test("an administrator ends a session of somebody: they are asked to sign in, at once", async ({
  page,
  browser,
  guard,
  api,
  signedIn,
  axe,
}) => {
  const theirs = await guard.person("viewer");
  const elsewhere = await browser.newPage({ baseURL: guard.apiUrl });
  await elsewhere.request.post(`${guard.apiUrl}/api/v1/auth/sign-in`, { data: theirs });
  await elsewhere.goto("/");
  await expect(elsewhere.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
  await unwrap(signIn({ client: createGuardProxy({ baseUrl: guard.apiUrl }), body: theirs }));
  const [user] = (await unwrap(listUsers({ client: api, query: { q: theirs.email } }))).items;
  await signedIn(page, "admin");
  await page.goto(`/users/${user?.id}`);
  await expect(page.getByRole("heading", { name: "Where they are signed in" })).toBeVisible();
  await axe(page);
  const ends = page.getByRole("button", { name: /^End the session of/ });
  await expect(ends).toHaveCount(2);
  await ends.first().click();
  await expect(ends).toHaveCount(1);
  await page.getByRole("button", { name: "Sign out everywhere" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Sign out everywhere" }).click();
  await expect(page.getByText("Nowhere.")).toBeVisible();
  await elsewhere.getByRole("link", { name: "Vhosts" }).first().click();
  await expect(elsewhere.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await elsewhere.close();
});

test("what is typed outlives the session: who signs in again goes on with it", async ({ page, guard, api, axe }) => {
  const mine = await guard.person("editor");
  await page.request.post(`${guard.apiUrl}/api/v1/auth/sign-in`, { data: mine });
  await page.goto("/ip-lists/new");
  await page.getByRole("textbox", { name: "Name" }).fill("typed-before");
  await page.getByRole("textbox", { name: "Title" }).fill("Typed before the session ended");
  const [user] = (await unwrap(listUsers({ client: api, query: { q: mine.email } }))).items;
  await unwrap(endUserSessions({ client: api, path: { user: user?.id ?? "" } }));
  await page.getByRole("button", { name: "Create" }).click();
  const over = page.getByRole("dialog", { name: "You are signed out" });
  await expect(over).toBeVisible();
  await page.keyboard.press("Escape");
  await axe(page);
  await expect(over.getByLabel("E-mail address")).toHaveValue(mine.email);
  await over.getByRole("textbox", { name: "Password" }).fill(mine.password);
  await over.getByRole("button", { name: "Sign in" }).click();
  await expect(over).toBeHidden();
  await expect(page.getByRole("textbox", { name: "Title" })).toHaveValue("Typed before the session ended");
  await page.getByRole("button", { name: "Create" }).click();
  await applyPlan(page);
  await expect(page.getByRole("heading", { level: 1, name: "typed-before" })).toBeVisible();
});

test("who is signed in sees what is live", async ({ page, signedIn, axe }) => {
  await signedIn(page, "viewer");
  await page.goto("/");
  await expect(page.getByText(/Revision \d+ is live and proven/).first()).toBeVisible();
  await axe(page);
});
