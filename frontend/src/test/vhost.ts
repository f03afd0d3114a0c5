import type { VhostRepresentation } from "@guard-proxy/client";

/** A vhost as the API answers it, for tests. */
export const vhost: VhostRepresentation = {
  name: "shop",
  title: "Shop",
  description: "",
  hostnames: ["shop.example.com"],
  enabled: true,
  protected: false,
  labels: { team: "web" },
  policy: "shop",
  paths: [{ prefix: "/api/", policy: "api", websocket: null, body: { max_bytes: null, on_partial: null } }],
  upstream: {
    balance: "roundrobin",
    servers: [{ name: "a", address: "192.0.2.10", port: 8080, weight: 100, backup: false }],
    health_check: null,
    timeouts: { connect_ms: 2_000, response_ms: 30_000, queue_ms: 5_000 },
  },
  access: { deny: [], allow_only: [], trust: ["monitoring"] },
  client_ip: { trusted_proxies: [], header: "x-forwarded-for" },
  body: { on_partial: "deny", max_bytes: 104_857_600 },
  rate_limit: null,
  on_waf_unavailable: "deny",
  on_ambiguous_path: "strict",
  websocket: false,
  meta: { etag: '"6"', revision: 6, created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z" },
};
