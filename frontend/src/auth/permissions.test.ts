import type { Me } from "@guard-proxy/client";
import { expect, test } from "vitest";
import { roles } from "@/test/server";
import { permission } from "./permissions";

const as = (...bindings: Me["roles"]): Me => ({ label: "user:x", roles: bindings });

test("a role does what the ones before it do", () => {
  expect(permission(as({ role: "admin" }), roles, "create", "ip_list").allowed).toBe(true);
  expect(permission(as({ role: "viewer" }), roles, "create", "ip_list")).toEqual({
    allowed: false,
    disabledReason: "To create IP lists wants the role editor; you are viewer.",
  });
});

test("a role with a scope does what may be done with one", () => {
  const scoped = as({ role: "admin", scope: { vhosts: ["shop"] } });
  expect(permission(scoped, roles, "update", "ip_list").allowed).toBe(true);
  expect(permission(scoped, roles, "read", "user").disabledReason).toContain("for all sites");
  expect(permission(as({ role: "admin", scope: {} }), roles, "read", "user").allowed).toBe(true);
});

test("what the table does not know nobody may", () => {
  expect(permission(as({ role: "admin" }), roles, "delete", "audit").disabledReason).toBe("Nobody can delete the audit log.");
  expect(permission(as(), roles, "read", "ip_list").disabledReason).toBe("To read IP lists wants the role viewer.");
});
