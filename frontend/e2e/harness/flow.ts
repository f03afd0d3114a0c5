import {
  approveChangeSet,
  createChangeSet,
  createGuardProxy,
  getVhost,
  listChangeSets,
  type OperationBody,
  planChangeSet,
  putVhost,
  signIn,
  unwrap,
  type Vhost,
  waitLive,
} from "@guard-proxy/client";
import { expect, type Page } from "@playwright/test";
import type { Person } from "../../test/server.ts";

type Client = ReturnType<typeof createGuardProxy>;

/** Applies the plan that is shown, and waits until it is live and proven. */
export async function applyPlan(page: Page) {
  const plan = page.getByRole("dialog", { name: "What this does" });
  await plan.getByRole("button", { name: "Apply now" }).click();
  const progress = page.getByRole("dialog", { name: /^Revision \d+$/ });
  await expect(progress.getByText(/^Revision \d+ is live and proven$/)).toBeVisible();
  await progress.getByRole("button", { name: "Close" }).last().click();
  await expect(progress).toBeHidden();
}

const put = (path: string, value: object): OperationBody => ({
  method: "PUT",
  path,
  value: value as Record<string, unknown>,
  if_none_match: "*",
});

/** A vhost of a test's own, live. It goes to the sample origin, wherever that listens. */
export async function madeVhost(client: Client, name: string, more: Partial<Vhost> = {}) {
  const { upstream } = await unwrap(getVhost({ client, path: { vhost: "shop" } }));
  const body = { hostnames: [`${name}.localhost`], policy: "blog", upstream, ...more } as Vhost;
  // Created: where two tests of one worker mean the same name, that is what fails.
  const headers = { "If-None-Match": "*" };
  expect(await waitLive(putVhost, { client, path: { vhost: name }, body, headers })).toMatchObject({ outcome: "live" });
}

/** A site with a policy of its own. */
export async function site(client: Client, name: string, over: object = {}) {
  const operations = [
    put(`/policies/${name}`, { mode: "block" }),
    put(`/vhosts/${name}`, {
      hostnames: [`${name}.example.com`],
      policy: name,
      upstream: { servers: [{ name: "a", address: "192.0.2.9", port: 8080 }] },
      ...over,
    }),
  ];
  const body = { message: `site ${name}`, operations, commit: true };
  const made = await unwrap(createChangeSet({ client, body, query: { wait: "live", wait_timeout_s: 60 } }));
  return made.revision ?? 0;
}

/** Above each page, while one works in a change set. */
export const bar = (page: Page) => page.getByRole("region", { name: "Change set that you work in" });
export const h1 = (page: Page, name: string | RegExp) => page.getByRole("heading", { level: 1, name });

/** As a client of the API; the browser is somebody else. */
export async function clientOf(url: string, person: Person) {
  const client = createGuardProxy({ baseUrl: url });
  const { access_token } = await unwrap(signIn({ client, body: person }));
  return createGuardProxy({ baseUrl: url, token: access_token });
}

/** Says yes to all that waits for somebody else than its author. */
export async function approveAll(client: Client) {
  for (const { id, version } of (await unwrap(listChangeSets({ client, query: { review: true } }))).items) {
    const path = { change_set: id };
    const { digest } = await unwrap(planChangeSet({ client, path }));
    await unwrap(approveChangeSet({ client, path, body: { version, plan_digest: digest }, query: { wait: "live" } }));
  }
}
