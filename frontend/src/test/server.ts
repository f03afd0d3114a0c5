import type { Me, ProblemBody, Roles, Status } from "@guard-proxy/client";
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
  counts: { vhosts: 2, policies: 1, ip_lists: 1 },
  engines: { haproxy_up: true, spoa_up: true, validator_up: true, applications: 1, problems: [], structure: "", versions: {} },
};

export const me: Me = { label: "user:ada@example.com", roles: [{ role: "admin" }] };

export const roles: Roles = {
  roles: ["viewer", "operator", "editor", "admin"],
  total: 3,
  items: [
    { kind: "ip_list", about: "", scoped: true, read: "viewer", create: "editor", update: "editor", delete: "editor" },
    { kind: "change_set", about: "", scoped: true, read: "viewer", create: "editor", update: "editor", delete: "editor" },
    { kind: "user", about: "", scoped: false, read: "admin", create: "admin", update: "admin", delete: "admin" },
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
