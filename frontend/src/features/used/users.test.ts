import { expect, test } from "vitest";
import { vhost } from "@/test/vhost";
import { usesOfList, usesOfPolicy } from "./users";

test("a policy is used by a site and by its paths, a list in three ways", () => {
  const site = {
    ...vhost,
    policy: "strict",
    paths: [
      { prefix: "/admin/", policy: "strict" },
      { prefix: "/api/", policy: null },
    ] as typeof vhost.paths,
    access: { deny: ["bad"], allow_only: [], trust: ["bad"] },
  };
  expect(usesOfPolicy(site, "strict")).toEqual(["the whole site, but for paths of their own", "path /admin/"]);
  expect(usesOfPolicy({ ...site, policy: "base" }, "strict")).toEqual(["path /admin/"]);
  expect(usesOfList(site, "bad")).toEqual(["deny: clients on it get 403", "trust: clients on it skip the WAF"]);
  expect(usesOfList(site, "good")).toEqual([]);
});
