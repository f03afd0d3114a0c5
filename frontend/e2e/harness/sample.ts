import {
  type Client,
  createChangeSet,
  createUser,
  listDeployments,
  listUsers,
  type OperationBody,
  putVhost,
  unwrap,
  waitLive,
} from "@guard-proxy/client";

const put = (path: string, value: object): OperationBody => ({
  method: "PUT",
  path,
  value: value as Record<string, unknown>,
  if_none_match: "*",
});
const TEAMS = ["web", "payments", "search", "content"];

/** What the sample has that is known by an id alone. */
export interface Sample {
  user: string;
  changeSet: string;
  deployment: string;
}

/** Enough of everything for the pages to show what they can: one revision, live when this is done. */
export async function makeSample(client: Client): Promise<Sample> {
  const upstream = (last: number) => ({
    servers: [
      { name: "a", address: `192.0.2.${last}`, port: 8080 },
      { name: "b", address: `192.0.2.${last + 1}`, port: 8080, weight: 50 },
      { name: "spare", address: "198.51.100.20", port: 8080, backup: true },
    ],
  });
  const soon = new Date(Date.now() + 5 * 86_400_000).toISOString();
  const operations = [
    put("/policies/store", {
      title: "Store",
      mode: "block",
      paranoia: { blocking: 2, detection: 3 },
      exclusions: [
        { id: "review-text", rule: { id: 942100 }, target: "ARGS:review", reason: "Reviews quote SQL", owner: "web", expires_at: soon },
      ],
    }),
    put("/ip-lists/partners", { title: "Partners" }),
    put("/ip-lists/bad-networks", { title: "Bad networks" }),
    ...Array.from({ length: 24 }, (_, at) =>
      put(`/vhosts/site-${String(at + 1).padStart(2, "0")}`, {
        hostnames: [`site-${at + 1}.example.com`, ...(at % 3 === 0 ? [`www.site-${at + 1}.example.com`] : [])],
        policy: ["shop", "blog", "api"][at % 3],
        enabled: at % 8 !== 7,
        labels: { team: TEAMS[at % TEAMS.length] },
        upstream: upstream(at + 10),
      }),
    ),
  ];
  await unwrap(createChangeSet({ client, body: { message: "Sites of the sample", operations, commit: true } }));
  const store = {
    title: "Store",
    description: "Where people buy. Uploads of pictures are looked at by their beginning.",
    hostnames: ["store.example.com", "*.store.example.com"],
    policy: "store",
    protected: false,
    labels: { team: "web", stage: "live" },
    paths: [
      { prefix: "/api/", policy: "api" },
      { prefix: "/upload/", body: { on_partial: "inspect_head", max_bytes: 1_073_741_824 } },
    ],
    upstream: { ...upstream(40), balance: "leastconn", health_check: { path: "/health" } },
    access: { deny: ["bad-networks"], trust: ["monitoring"] },
    client_ip: { trusted_proxies: ["203.0.113.0/24"] },
    rate_limit: { requests: 200, period: "10s" },
  } as const;
  const body = structuredClone(store) as unknown as Parameters<typeof putVhost>[0]["body"];
  const waited = await waitLive(putVhost, { client, path: { vhost: "store" }, body, query: { message: "The store moves in" } });
  // It touches what is to be protected, so it waits for somebody.
  const value = { protected: true };
  const later = {
    message: "The first site wants two people",
    operations: [{ method: "PATCH" as const, path: "/vhosts/site-01", value }],
    commit: true,
  };
  const { id: changeSet } = await unwrap(createChangeSet({ client, body: later }));
  if (waited.outcome !== "live") throw new Error(`the sample is ${waited.outcome}`);
  const invited = { email: "grace@example.com", title: "Grace", roles: [{ role: "editor" as const, scope: { labels: { team: "web" } } }] };
  // A worker that comes back to the pages begins again.
  const [there] = (await unwrap(listUsers({ client, query: { q: invited.email } }))).items;
  const user = there ?? (await unwrap(createUser({ client, body: invited }))).user;
  const [deployment] = (await unwrap(listDeployments({ client, query: { limit: 1 } }))).items;
  return { user: user.id, changeSet, deployment: deployment?.id ?? "" };
}
