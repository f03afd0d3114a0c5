import { patchPolicy, putPolicy, unwrap, waitLive } from "@guard-proxy/client";
import type { Page } from "@playwright/test";
import { expect, test } from "./harness/test.ts";

const STREAM = "/api/v1/stream";
const REFRESH = "/api/v1/auth/refresh";

test("tabs have one stream between them, hand it over, and sign out together", async ({ page, signedIn, api }) => {
  const policy = { path: { policy: "tabs" }, client: api };
  await unwrap(putPolicy({ ...policy, body: { title: "One" }, headers: { "If-None-Match": "*" } }));
  const asked = new Map<Page, string[]>();
  const watched = (tab: Page) => {
    asked.set(tab, []);
    tab.on("request", (request) => asked.get(tab)?.push(new URL(request.url()).pathname));
    return tab;
  };
  const count = (path: string, ...tabs: Page[]) => tabs.flatMap((tab) => asked.get(tab) ?? []).filter((one) => one === path).length;
  await signedIn(page, "admin");
  const [first, second] = [watched(page), watched(await page.context().newPage())];
  // Both at once: the cookie that both have is used up by the first of them, and the other waits for its turn.
  await Promise.all([first.goto("/policies/tabs"), second.goto("/policies/tabs")]);
  const title = (tab: Page) => tab.getByRole("textbox", { name: "Title" });
  for (const tab of [first, second]) await expect(title(tab)).toHaveValue("One");
  const change = (to: string) => waitLive(patchPolicy, { ...policy, body: { title: to }, headers: { "If-Match": "*" } });
  await expect.poll(() => count(STREAM, first, second)).toBe(1);
  await change("Two");
  for (const tab of [first, second]) await expect(title(tab)).toHaveValue("Two");
  expect(count(STREAM, first, second), "one of them reads it, and tells the other").toBe(1);
  expect(count(REFRESH, first, second)).toBeLessThanOrEqual(2);

  const [leader, other] = count(STREAM, first) ? [first, second] : [second, first];
  await leader.close();
  await expect.poll(() => count(STREAM, other)).toBe(1);
  await change("Three");
  await expect(title(other)).toHaveValue("Three");

  const third = watched(await page.context().newPage());
  await third.goto("/");
  await third.getByRole("button", { name: "Account and appearance" }).click();
  await third.getByRole("menuitem", { name: "Sign out", exact: true }).click();
  for (const tab of [third, other]) await expect(tab.getByRole("heading", { name: "Sign in" })).toBeVisible();
});
