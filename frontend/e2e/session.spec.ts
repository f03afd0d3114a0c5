import { createUser, unwrap } from "@guard-proxy/client";
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

test("who is signed in sees what is live", async ({ page, signedIn, axe }) => {
  await signedIn(page, "viewer");
  await page.goto("/");
  await expect(page.getByText(/Revision \d+ is live and proven/).first()).toBeVisible();
  await axe(page);
});
