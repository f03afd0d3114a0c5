import { makeSample, type Sample } from "./harness/sample.ts";
import { expect, test } from "./harness/test.ts";
import { PAGES, pathOf } from "./pages.ts";

// Each page stands for itself; a worker makes the sample once.
test.describe.configure({ mode: "parallel" });

let sample: Sample;
test.beforeAll(async ({ api }) => {
  sample = await makeSample(api);
});

for (const panel of PAGES) {
  const { name, title, outside } = panel;
  test(`${name} can be read by everybody, light and dark`, async ({ page, signedIn, axe }) => {
    if (!outside) await signedIn(page, "admin");
    await page.goto(pathOf(panel, sample));
    await expect(page.getByRole("heading", { level: 1, name: title })).toBeVisible();
    await expect(page.locator("[aria-busy=true], .mantine-Skeleton-root")).toHaveCount(0);
    await axe(page);
    // Nothing makes a phone scroll sideways.
    await page.setViewportSize({ width: 360, height: 740 });
    const wide = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    await expect.poll(wide, "pixels too wide").toBeLessThanOrEqual(0);
  });
}
