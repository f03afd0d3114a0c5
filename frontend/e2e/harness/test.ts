import { AxeBuilder } from "@axe-core/playwright";
import { createGuardProxy } from "@guard-proxy/client";
import { test as base, expect, type Page } from "@playwright/test";
import { type Person, type Server, startServer } from "../../test/server.ts";
import { site } from "./site.ts";

export { expect };

export type Role = "viewer" | "operator" | "editor" | "admin";
type Guard = Server & {
  /** Asks a protected site, as a client of it would. */
  site(hostname: string, path?: string): Promise<number>;
  /** One person for each role. */
  as(role: Role): Promise<Person>;
};
type Client = ReturnType<typeof createGuardProxy>;

type ForWorker = {
  /** The worker's own Guard Proxy. What a test makes there should have names of its own. */
  guard: Guard;
  /** An administrator's client, to arrange what a test begins with and to look at what came of it. */
  api: Client;
};
type ForTest = {
  /** Signs somebody with that role in; go to a page after it. */
  signedIn(page: Page, role?: Role): Promise<Person>;
  /** WCAG A and AA, light and dark. */
  axe(page: Page): Promise<void>;
  /** What the server said last, where a test fails: nothing of it is left afterwards. */
  told: undefined;
  /** What the browser's console says in errors fails the test; a policy's violation is one. */
  quiet: undefined;
};

const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const COLOURS = ["color-contrast", "link-in-text-block"];

/** The browser says so of each answer that is no success; the panel shows those itself. */
const ANSWERS = /^Failed to load resource/;

export const test = base.extend<ForTest, ForWorker>({
  guard: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of fixtures from it
    async ({}, use) => {
      const server = await startServer();
      try {
        const people = new Map<Role, Promise<Person>>();
        const as = (role: Role) => {
          const there = people.get(role) ?? server.person(role);
          people.set(role, there);
          return there;
        };
        await use({ ...server, as, site: (hostname, path) => site(server.httpUrl, hostname, path) });
      } finally {
        await server.stop();
      }
    },
    { scope: "worker", timeout: 120_000 },
  ],

  api: [async ({ guard }, use) => use(createGuardProxy({ baseUrl: guard.apiUrl, token: guard.token })), { scope: "worker" }],

  // As the server itself serves it: a build for tests reads the panel's files from `dist`.
  baseURL: async ({ guard }, use) => use(guard.apiUrl),

  signedIn: async ({ guard }, use) =>
    use(async (page, role = "admin") => {
      const person = await guard.as(role);
      // The page's own requests and this one share their cookies.
      const answer = await page.request.post(`${guard.apiUrl}/api/v1/auth/sign-in`, { data: person });
      expect(answer.status(), await answer.text()).toBe(200);
      return person;
    }),

  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of fixtures from it
  axe: async ({}, use) =>
    use(async (page) => {
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await expect(page.locator("html")).toHaveAttribute("data-mantine-color-scheme", colorScheme);
        // What is not about colours is the same in both.
        const builder = new AxeBuilder({ page });
        const found = await (colorScheme === "light" ? builder.withTags(WCAG) : builder.withRules(COLOURS)).analyze();
        const faults = found.violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((one) => one.html).join("\n  ")}`);
        expect(faults, `${page.url()} in ${colorScheme}`).toEqual([]);
      }
    }),

  told: [
    async ({ guard }, use, test) => {
      await use(undefined);
      if (test.status !== test.expectedStatus) console.error(await guard.said());
    },
    { auto: true },
  ],

  quiet: [
    async ({ context }, use) => {
      const said: string[] = [];
      context.on("console", (message) => {
        if (message.type() === "error" && !ANSWERS.test(message.text())) said.push(message.text());
      });
      context.on("weberror", (error) => said.push(String(error.error())));
      await use(undefined);
      expect(said, "errors in the console").toEqual([]);
    },
    { auto: true },
  ],
});
