// How fluent the panel is with many vhosts: `npm run build && npm run fluent -- 10000`. Each line is measured with the demo's own few first,
// then with so many; the ratio says what the many cost. Milliseconds, the median of five; the machine's own noise is in both.
import { type Client, createChangeSet, createGuardProxy, type OperationBody, unwrap } from "@guard-proxy/client";
import { chromium, type Page } from "@playwright/test";
import { CHROMIUM, startServer } from "../test/server.ts";

const count = Number(process.argv[2] ?? 10_000);
const ROUNDS = 5;
const name = (at: number) => `site-${String(at).padStart(5, "0")}`;

/** One revision. They go to a network of documentation: nothing of it is asked for. */
async function makeVhosts(client: Client): Promise<void> {
  const operations = Array.from({ length: count }, (_, at): OperationBody => {
    const upstream = { servers: [{ name: "a", address: "192.0.2.9", port: 8080 }] };
    const value = {
      hostnames: [`${name(at)}.example.com`],
      policy: at % 2 ? "shop" : "blog",
      upstream,
      labels: { team: `team-${at % 20}` },
    };
    return { method: "PUT", path: `/vhosts/${name(at)}`, if_none_match: "*", value };
  });
  const body = { message: "Many", operations, commit: true };
  await unwrap(createChangeSet({ client, body, query: { wait: "live", wait_timeout_s: 120 } }));
}

const firstRow = (page: Page) => page.getByRole("table").first().locator("tbody a").first();

/** What somebody does, until they see it done. `before` is not measured. */
const DOES: { what: string; before?(page: Page): Promise<unknown>; does(page: Page, sought: string): Promise<unknown> }[] = [
  { what: "open the overview", does: (page) => page.goto("/").then(() => page.getByRole("heading", { name: "Overview" }).waitFor()) },
  { what: "open the list of vhosts", does: (page) => page.goto("/vhosts").then(() => firstRow(page).waitFor()) },
  {
    what: "find one by its name",
    before: (page) => page.goto("/vhosts").then(() => firstRow(page).waitFor()),
    async does(page, sought) {
      await page.getByRole("searchbox").or(page.getByLabel("Search")).first().fill(sought);
      await page.getByText(/^1$/).or(page.getByText(/^1 of/)).first().waitFor();
      await page.getByRole("link", { name: sought, exact: true }).waitFor();
    },
  },
  {
    what: "sort by what was changed last",
    before: (page) => page.goto("/vhosts").then(() => firstRow(page).waitFor()),
    async does(page) {
      await page.getByRole("button", { name: /^Changed/ }).click();
      await page.locator("th[aria-sort=ascending]", { hasText: "Changed" }).waitFor();
      await page.locator("tbody:not([data-stale])").first().waitFor();
    },
  },
  {
    what: "open one",
    does: (page, sought) => page.goto(`/vhosts/${sought}`).then(() => page.getByRole("tab", { name: "Proof" }).waitFor()),
  },
];

async function measured(page: Page, sought: string): Promise<number[]> {
  const medians: number[] = [];
  for (const { before, does } of DOES) {
    const took: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      await before?.(page);
      const begun = performance.now();
      await does(page, sought);
      took.push(performance.now() - begun);
    }
    medians.push(took.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0);
  }
  return medians;
}

/** Milliseconds that the page was busy at most, at once, while somebody scrolls: 50 is what a person begins to feel. */
async function busiest(page: Page): Promise<number> {
  await page.goto("/vhosts");
  await firstRow(page).waitFor();
  await page.evaluate(() => {
    const seen: number[] = [0];
    Object.assign(window, { seen });
    new PerformanceObserver((list) => seen.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: "longtask" });
  });
  await page.getByRole("table").first().hover();
  for (let turn = 0; turn < 60; turn += 1) {
    await page.mouse.wheel(0, 1200);
    await page.waitForTimeout(30);
  }
  return page.evaluate(() => Math.max(...(window as unknown as { seen: number[] }).seen));
}

const server = await startServer();
const browser = await chromium.launch({ executablePath: CHROMIUM });
try {
  const client = createGuardProxy({ baseUrl: server.apiUrl, token: server.token });
  const context = await browser.newContext({ baseURL: server.apiUrl, viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
  await context.request.post("/api/v1/auth/sign-in", { data: await server.person("admin") });
  const page = await context.newPage();
  const few = [...(await measured(page, "shop")), await busiest(page)];
  const begun = performance.now();
  await makeVhosts(client);
  console.log(`${count} vhosts were live and proven after ${((performance.now() - begun) / 1000).toFixed(1)} s\n`);
  const many = [...(await measured(page, name(count - 1))), await busiest(page)];
  console.log(`${"milliseconds".padEnd(34)}${"few".padStart(8)}${String(count).padStart(8)}${"ratio".padStart(8)}`);
  [...DOES.map(({ what }) => what), "longest task while scrolling"].forEach((what, at) => {
    const [one = 0, other = 0] = [few[at], many[at]];
    const ratio = one > 0 ? (other / one).toFixed(2) : "-";
    console.log(`${what.padEnd(34)}${one.toFixed(0).padStart(8)}${other.toFixed(0).padStart(8)}${ratio.padStart(8)}`);
  });
} finally {
  await browser.close();
  await server.stop();
}
