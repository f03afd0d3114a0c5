import { defineConfig } from "@playwright/test";
import { CHROMIUM } from "./test/server.ts";

/** The built panel in a real browser, against a real server with real engines. `npm run e2e` builds the panel first. */
export default defineConfig({
  testDir: "e2e",
  testMatch: "**/*.spec.ts",
  outputDir: "test-results",
  // Each worker has a whole Guard Proxy of its own.
  workers: Number(process.env.E2E_WORKERS ?? 2),
  forbidOnly: Boolean(process.env.CI),
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [["list"]],
  use: {
    browserName: "chromium",
    launchOptions: { executablePath: CHROMIUM },
    viewport: { width: 1280, height: 800 },
    contextOptions: { reducedMotion: "reduce" },
    locale: "en-GB",
    timezoneId: "UTC",
    // A trace of every test costs a quarter of the time: asked for where one is to be looked into.
    trace: process.env.E2E_TRACE ? "retain-on-failure" : "off",
    screenshot: "only-on-failure",
  },
});
