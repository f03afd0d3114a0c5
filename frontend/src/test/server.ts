import type { ChangeSet, Deployment, Me, Plan, ProblemBody, Roles, Status } from "@guard-proxy/client";
import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";

/** The API as tests see it: answers have the client's types, so that a test cannot know a field that the API has not. */
export const status: Status = {
  head: 7,
  live: 7,
  current: true,
  deployment: null,
  refused: [],
  unproven: [],
  mode_overrides: [],
  counts: { vhosts: 2, policies: 1, ip_lists: 1 },
  engines: { haproxy_up: true, spoa_up: true, validator_up: true, applications: 1, problems: [], structure: "", versions: {} },
};

export const deployment: Deployment = {
  id: "d1",
  revision: 8,
  state: "pending",
  attempts: 1,
  bundle_digest: "",
  created_at: "2026-01-01T00:00:00Z",
  ended_at: null,
  errors: [],
  lanes: ["runtime"],
  made_with: {},
  said: "",
  steps: [{ name: "compile", detail: "1 vhost", ok: true, started_at: "2026-01-01T00:00:00Z", took_us: 1104 }],
};

export const changeSet: ChangeSet = {
  id: "c1",
  author: "user:ada@example.com",
  base: 7,
  counts: { created: 0, updated: 1, deleted: 0 },
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-01T00:00:00Z",
  message: "why",
  approval: null,
  refusal: null,
  revision: null,
  rollback_to: null,
  state: "open",
  version: 1,
};

export const plan: Plan = {
  id: "p1",
  author: "user:ada@example.com",
  created_at: "2026-01-01T00:00:00Z",
  digest: "digest",
  head: 7,
  approval: { required: false, vhosts: { names: [], total: 0 } },
  source: { kind: "change_set", id: "c1" },
  conflicts: [],
  errors: [],
  findings: [],
  engines: [{ engine: "coraza", answer: "not_asked", said: "" }],
  files: [{ path: "rows.map", change: "changed", added: 1, removed: 1, diff: "@@ -1 +1 @@\n-a\n+b\n", truncated: false }],
  lanes: [{ lane: "runtime", reason: "entries of rows.map: 1 changed" }],
  cost: { map_entries: 1, memory_bytes: 0, rulesets_to_load: 0, warm_up_ms: 0 },
  risk: { class: "high", reasons: [{ class: "high", code: "mode_lowered", message: "clients get more", pointer: "/policies/shop/mode" }] },
  vhosts: { names: ["shop"], total: 1 },
  diff: {
    counts: { created: 0, updated: 1, deleted: 0 },
    left_out: 0,
    changes: [
      {
        kind: "policy",
        name: "shop",
        change: "updated",
        fields: [{ pointer: "/mode", words: "mode: block → detect" }],
        fields_left_out: 0,
      },
    ],
  },
};

export const me: Me = { label: "user:ada@example.com", roles: [{ role: "admin" }] };

export const roles: Roles = {
  roles: ["viewer", "operator", "editor", "admin"],
  total: 3,
  items: [
    { kind: "ip_list", about: "", scoped: true, read: "viewer", create: "editor", update: "editor", delete: "editor" },
    { kind: "change_set", about: "", scoped: true, read: "viewer", create: "editor", update: "editor", delete: "editor" },
    { kind: "mode_override", about: "", scoped: true, read: "viewer", create: null, update: "operator", delete: "operator" },
    { kind: "user", about: "", scoped: false, read: "admin", create: "admin", update: "admin", delete: "admin" },
    { kind: "session", about: "", scoped: false, read: "admin", create: null, update: null, delete: "admin" },
    { kind: "setting", about: "", scoped: false, read: "admin", create: null, update: "admin", delete: null },
  ],
};

export function problem(over: Partial<ProblemBody> & Pick<ProblemBody, "code" | "status">) {
  const body: ProblemBody = {
    type: `urn:guard-proxy:problem:${over.code}`,
    title: "A title",
    detail: "A detail.",
    errors: [],
    request_id: "0191-request",
    ...over,
  };
  return HttpResponse.json(body, { status: over.status, headers: { "content-type": "application/problem+json" } });
}

export const answer = <T extends object>(body: T, status = 200) => HttpResponse.json(body as object, { status });

export const server = setupServer(
  http.get("/api/v1/status", () => answer(status)),
  http.get("/api/v1/auth/me", () => answer(me)),
  http.get("/api/v1/roles", () => answer(roles)),
  http.post("/api/v1/auth/refresh", () => problem({ code: "sign_in_failed", status: 401 })),
);
