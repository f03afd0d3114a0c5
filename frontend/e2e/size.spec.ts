import { expect, test } from "./harness/test.ts";

const LIMIT = 200_000;

test("the first page loads less than 200 kB of script, compressed as the server sends it", async ({ page, signedIn }) => {
  await signedIn(page);
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Last deployments" })).toBeVisible();
  // What is fetched behind it is of the first page, too.
  await page.waitForTimeout(1_000);
  const scripts = await page.evaluate(() =>
    (performance.getEntriesByType("resource") as PerformanceResourceTiming[])
      .filter(({ name }) => new URL(name).pathname.endsWith(".js"))
      .map(({ name, encodedBodySize }) => ({ name: new URL(name).pathname, bytes: encodedBodySize })),
  );
  const total = scripts.reduce((sum, { bytes }) => sum + bytes, 0);
  const told = scripts.map(({ name, bytes }) => `${bytes} ${name}`).join("\n");
  expect(scripts.length, told).toBeGreaterThan(5);
  expect(total, told).toBeLessThan(LIMIT);
});
