import { getVhost, unwrap, type Vhost } from "@guard-proxy/client";
import { madeVhost } from "./harness/flow.ts";
import { expect, test } from "./harness/test.ts";

const ATTACK = "/?q=1%27%20OR%20%271%27=%271";

test("an attack that was blocked is in the numbers, of its vhost and of all", async ({ page, signedIn, guard, api, axe }) => {
  await madeVhost(api, "counted", { policy: "shop" });
  expect([await guard.site("counted.localhost"), await guard.site("counted.localhost", ATTACK)]).toEqual([200, 403]);
  await signedIn(page, "viewer");
  const blocked = page.getByRole("img", { name: "By the minute. Blocked: 1, at most 1 in a minute" });
  // They are counted every ten seconds, and read less often.
  await expect(async () => {
    await page.goto("/vhosts/counted?tab=traffic");
    await expect(blocked).toBeVisible({ timeout: 2_000 });
  }).toPass({ timeout: 30_000 });
  await expect(page.getByText("Forwarded: 1, at most 1 in a minute")).toBeVisible();
  await page.getByText("Numbers").click();
  await expect(page.getByRole("table", { name: "Requests by the minute" })).toBeVisible();
  await axe(page);
  await page.setViewportSize({ width: 360, height: 740 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBeLessThanOrEqual(0);

  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Requests and blocks, last hour" })).toBeVisible();
  await expect(page.getByRole("img", { name: /Blocked: [1-9]/ })).toBeVisible();
  await axe(page);
});

test("a server that is down is shown as down, with what its last check said", async ({ page, signedIn, api }) => {
  const { upstream } = await unwrap(getVhost({ client: api, path: { vhost: "shop" } }));
  const gone = { name: "gone", address: "127.0.0.1", port: 9 };
  const servers = [...upstream.servers.map((server) => ({ ...server, name: "there" })), gone];
  await madeVhost(api, "halved", {
    policy: "shop",
    upstream: { servers, health_check: { interval_ms: 100, rise: 1, fall: 1 } } as Vhost["upstream"],
  });
  await signedIn(page, "viewer");
  await page.goto("/vhosts/halved?tab=upstream");
  const row = (name: string) => page.getByRole("table", { name: "Servers" }).getByRole("row").filter({ hasText: name });
  await expect(row("gone")).toContainText("Layer4 connection problem", { timeout: 20_000 });
  await expect(row("gone").getByText("down", { exact: true })).toBeVisible();
  await expect(row("there").getByText("up", { exact: true })).toBeVisible();
});
