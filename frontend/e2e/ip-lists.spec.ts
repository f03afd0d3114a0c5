import { batchEntries, type Client, listEntries, putIpList, putVhost, unwrap } from "@guard-proxy/client";
import { applyPlan } from "./harness/flow.ts";
import { expect, test } from "./harness/test.ts";

async function networks(client: Client, list: string) {
  const { items } = await unwrap(listEntries({ client, path: { ip_list: list }, query: { limit: 500 } }));
  return items.map(({ network, comment }) => `${network} ${comment}`.trim());
}

async function given(client: Client, list: string, add: { network: string; comment?: string }[] = []) {
  const path = { ip_list: list };
  await unwrap(putIpList({ client, path, body: {}, headers: { "If-None-Match": "*" } }));
  if (add.length > 0) await unwrap(batchEntries({ client, path, body: { add, remove: [] } }));
}

test("a list is made, and its entries are added, found by an address, edited and removed", async ({ page, api, signedIn, axe }) => {
  await signedIn(page);
  await page.goto("/ip-lists");
  await axe(page);
  await page.getByRole("link", { name: "New list" }).click();
  await page.getByRole("textbox", { name: "Name" }).fill("probes");
  await page.getByRole("textbox", { name: "Title" }).fill("Probes");
  await axe(page);
  await page.getByRole("button", { name: "Create" }).click();
  await applyPlan(page);
  await expect(page.getByRole("heading", { level: 1, name: "probes" })).toBeVisible();
  await expect(page.getByText("No entries yet")).toBeVisible();

  await page.getByRole("textbox", { name: "Network" }).fill("192.0.2.0");
  await page.getByRole("textbox", { name: "Comment" }).fill("first");
  await page.getByRole("button", { name: "Add" }).click();
  await applyPlan(page);
  await page.getByRole("textbox", { name: "Network" }).fill("198.51.100.0/24");
  await page.getByRole("button", { name: "Add" }).click();
  await applyPlan(page);
  await page.getByRole("searchbox").fill("198.51.100.7");
  await expect(page.getByText("Entries that cover 198.51.100.7.")).toBeVisible();
  await expect(page.getByRole("row").filter({ hasText: "192.0.2.0" })).toHaveCount(0);
  await expect(page.getByRole("row").filter({ hasText: "198.51.100.0/24" })).toBeVisible();
  await axe(page);
  await page.getByRole("searchbox").fill("first");
  await expect(page.getByRole("row").filter({ hasText: "198.51.100.0/24" })).toHaveCount(0);

  await page.getByRole("button", { name: "Edit 192.0.2.0/32" }).click();
  await page.getByRole("textbox", { name: "Comment" }).fill("first, again");
  await page.getByRole("button", { name: "Save" }).click();
  await applyPlan(page);
  expect(await networks(api, "probes")).toEqual(["192.0.2.0/32 first, again", "198.51.100.0/24"]);
  await page.getByRole("checkbox", { name: "Select 192.0.2.0/32" }).click();
  await page.getByRole("button", { name: "Remove" }).click();
  await applyPlan(page);
  expect(await networks(api, "probes")).toEqual(["198.51.100.0/24"]);
});

test("of many lines the bad ones are told, and nothing is lost", async ({ page, api, signedIn, axe }) => {
  await given(api, "pasted");
  await signedIn(page);
  await page.goto("/ip-lists/pasted");
  await page.getByRole("link", { name: "Paste many" }).click();
  const text = page.getByRole("textbox", { name: "Entries, one on each line" });
  await text.fill("# offices\n192.0.2.0/24, Berlin, 2030-01-31\nnot a network\n198.51.100.7 # Paris\n203.0.113.0/24, Rome, soon\n");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  const bad = page.getByRole("table", { name: "Lines that cannot be taken" });
  await expect(bad.getByRole("row").nth(1)).toContainText("3not a network`not a network` is not a network");
  await expect(bad.getByRole("row").nth(2)).toContainText("5203.0.113.0/24, Rome, soon`soon` is no time");
  await axe(page);
  expect(await networks(api, "pasted")).toEqual([]);
  await page.getByRole("button", { name: "Add the good ones, keep the others here" }).click();
  await applyPlan(page);
  await expect(text).toHaveValue("not a network\n203.0.113.0/24, Rome, soon");
  expect(await networks(api, "pasted")).toEqual(["192.0.2.0/24 Berlin", "198.51.100.7/32 Paris"]);
  // Leaving asks for what is still here.
  await page.getByRole("link", { name: "pasted" }).click();
  await expect(page.getByRole("dialog", { name: "Leave without saving?" })).toBeVisible();
  await page.getByRole("button", { name: "Cancel" }).click();
  await text.fill("203.0.113.0/24, Rome, 2030-01-31");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await applyPlan(page);
  await expect(page.getByRole("row").filter({ hasText: "203.0.113.0/24" })).toBeVisible();
});

test("a file takes the place of all entries", async ({ page, api, signedIn, axe }) => {
  await given(api, "replaced", [{ network: "192.0.2.1", comment: "old" }]);
  await signedIn(page);
  await page.goto("/ip-lists/replaced/import?replace=true");
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.getByRole("button", { name: /Take a file/ }).click()]);
  const lines = Array.from({ length: 1000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24,"row ${i}, quoted",`);
  const csv = `network,comment,expires_at\n${lines.join("\n")}\n`;
  await chooser.setFiles({ name: "list.csv", mimeType: "text/csv", buffer: Buffer.from(csv) });
  await expect(page.getByText("1000 entries")).toBeVisible();
  await axe(page);
  await page.getByRole("button", { name: "Replace all" }).click();
  await applyPlan(page);
  await expect(page.getByRole("tab", { name: "Entries (1000)" })).toBeVisible();
  await expect(page.getByRole("row").filter({ hasText: "row 0, quoted" })).toBeVisible();
  // Rows out of sight are not drawn.
  expect(await page.getByRole("row").count()).toBeLessThan(100);
});

test("who would lock themselves out is told before, and by the plan", async ({ page, api, signedIn, axe }) => {
  await given(api, "denied");
  const body = {
    hostnames: ["locked.localhost"],
    policy: "shop",
    upstream: { servers: [{ address: "127.0.0.1", port: 8001 }] },
    access: { deny: ["denied"] },
  };
  await unwrap(putVhost({ client: api, path: { vhost: "locked" }, body, headers: { "If-None-Match": "*" } }));
  await signedIn(page);
  await page.goto("/ip-lists/denied?tab=used");
  await expect(page.getByText("deny: clients on it get 403")).toBeVisible();
  await axe(page);
  await page.getByRole("tab", { name: /^Entries/ }).click();
  await page.getByRole("textbox", { name: "Network" }).fill("127.0.0.0/8");
  await expect(page.getByText(/This is you: your address 127\.0\.0\.1 is in 127\.0\.0\.0\/8/)).toBeVisible();
  await page.getByRole("button", { name: "Add" }).click();
  const plan = page.getByRole("dialog", { name: "What this does" });
  await expect(plan.getByText("This is you: you would lock yourself out")).toBeVisible();
  await axe(page);
  await plan.getByRole("button", { name: "Back to editing" }).click();
  await expect(page.getByRole("textbox", { name: "Network" })).toHaveValue("127.0.0.0/8");
  expect(await networks(api, "denied")).toEqual([]);
});

test("an operator writes entries at once, after a question", async ({ page, api, signedIn }) => {
  await given(api, "operated");
  await signedIn(page, "operator");
  await page.goto("/ip-lists/operated");
  await page.getByRole("textbox", { name: "Network" }).fill("nowhere");
  await page.getByRole("button", { name: "Add" }).click();
  await page.getByRole("dialog", { name: "Save at once?" }).getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("`nowhere` is not a network", { exact: false })).toBeVisible();
  await page.getByRole("textbox", { name: "Network" }).fill("192.0.2.9");
  await page.getByRole("button", { name: "Add" }).click();
  await page.getByRole("dialog", { name: "Save at once?" }).getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("row").filter({ hasText: "192.0.2.9/32" })).toBeVisible();
  expect(await networks(api, "operated")).toEqual(["192.0.2.9/32"]);
});
