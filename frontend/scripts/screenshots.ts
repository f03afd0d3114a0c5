// Pictures of every page of e2e/pages.ts, light and dark: `npm run build && npm run screenshots`.
// `-- --out DIR` puts them elsewhere, `--width 360` makes them as a phone shows it, further words are names of pages.
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createGuardProxy } from "@guard-proxy/client";
import { chromium } from "@playwright/test";
import { makeSample } from "../e2e/harness/sample.ts";
import { site } from "../e2e/harness/site.ts";
import { PAGES, pathOf } from "../e2e/pages.ts";
import { CHROMIUM, startServer } from "../test/server.ts";

const { values, positionals } = parseArgs({
  options: {
    out: { type: "string", default: resolve(fileURLToPath(import.meta.url), "../../../docs/images") },
    width: { type: "string", default: "1280" },
  },
  allowPositionals: true,
});
const width = Number(values.width);
const pages = PAGES.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
await mkdir(values.out, { recursive: true });

const server = await startServer();
const browser = await chromium.launch({ executablePath: CHROMIUM });
try {
  const sample = await makeSample(createGuardProxy({ baseUrl: server.apiUrl, token: server.token }));
  for (let at = 0; at < 120; at += 1) {
    const path = at % 8 === 7 ? "/?q=1%27%20OR%20%271%27=%271" : "/";
    await site(server.httpUrl, at % 3 ? "shop.localhost" : "blog.localhost", path);
  }
  // Traffic is counted every ten seconds.
  await new Promise((counted) => setTimeout(counted, 11_000));
  const person = await server.person("admin");
  const context = await browser.newContext({
    baseURL: server.apiUrl,
    viewport: { width, height: 800 },
    reducedMotion: "reduce",
    locale: "en-GB",
    timezoneId: "UTC",
  });
  const page = await context.newPage();
  // Pages for who is not signed in come first.
  for (const outside of [true, false]) {
    if (!outside) await context.request.post("/api/v1/auth/sign-in", { data: person });
    for (const panel of pages.filter((one) => Boolean(one.outside) === outside)) {
      const { name, title } = panel;
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await page.goto(pathOf(panel, sample));
        await page.getByRole("heading", { level: 1, name: title }).waitFor();
        await page.locator("[aria-busy=true], .mantine-Skeleton-root").first().waitFor({ state: "detached" });
        await page.evaluate(() => document.fonts.ready);
        // As high as the page is: what sticks to an end of the window is then at its end.
        const height = await page.evaluate(() => document.documentElement.scrollHeight);
        await page.setViewportSize({ width, height: Math.max(height, 800) });
        await page.waitForTimeout(200);
        await page.screenshot({ path: `${values.out}/${name}-${colorScheme}.png`, animations: "disabled" });
        await page.setViewportSize({ width, height: 800 });
      }
      console.log(name);
    }
  }
} finally {
  await browser.close();
  await server.stop();
}
