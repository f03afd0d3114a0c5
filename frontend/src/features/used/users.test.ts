import { expect, test } from "vitest";
import { type User, usersOfList, usersOfPolicy } from "./users";

const vhost = (name: string, over: Partial<User>): User => ({
  name,
  title: "",
  enabled: true,
  protected: false,
  policy: "base",
  access: { deny: [], allow_only: [], trust: [] },
  paths: [],
  ...over,
});

test("a policy is used by sites and by their paths, a list in three ways", () => {
  const vhosts = [
    vhost("a", { policy: "strict" }),
    vhost("b", {
      paths: [
        { prefix: "/admin/", policy: "strict" },
        { prefix: "/api/", policy: null },
      ],
    }),
    vhost("c", { access: { deny: ["bad"], allow_only: [], trust: ["bad"] } }),
  ];
  expect(usersOfPolicy(vhosts, "strict").map(({ vhost, how }) => [vhost.name, how])).toEqual([
    ["a", ["the whole site, but for paths of their own"]],
    ["b", ["path /admin/"]],
  ]);
  expect(usersOfList(vhosts, "bad").map(({ vhost, how }) => [vhost.name, how.length])).toEqual([["c", 2]]);
  expect(usersOfList(vhosts, "good")).toEqual([]);
});
