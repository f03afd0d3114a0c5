import { afterEach, expect, test } from "vitest";
import { keys } from "@/lib/keys";
import { makeQueries } from "@/lib/queries";
import { throughChangeSet } from "./request";
import { work, workingSearch } from "./working";

const ID = "01970000-0000-7000-8000-000000000001";
const queries = makeQueries();
const sent = (path: string) => {
  const { pathname, search } = new URL(throughChangeSet(new Request(`http://panel.test${path}`)).url);
  return `${pathname}${search}`;
};
afterEach(() => work({}, queries));

test("what is read of objects is read through the change set, how they fare is not", () => {
  expect(sent("/api/v1/vhosts?q=a")).toBe("/api/v1/vhosts?q=a");
  work({ change_set: ID }, queries);
  for (const path of ["/vhosts?q=a&", "/vhosts/status?", "/policies/shop/exclusions/status?", "/ip-lists/office/entries?"])
    expect(sent(`/api/v1${path.slice(0, -1)}`)).toBe(`/api/v1${path}change_set=${ID}`);
  for (const path of [
    "/api/v1/vhosts/shop/status",
    "/api/v1/vhosts/shop/upstream/status",
    "/api/v1/vhosts/shop/traffic",
    "/api/v1/vhosts/shop/mode-override",
    "/api/v1/policies/shop?revision=3",
    "/api/v1/policies/shop?change_set=another",
    "/api/v1/change-sets",
    "/api/v1/status",
  ])
    expect(sent(path)).toBe(path);
});

test("what was read outside of it is forgotten, what is not about objects is kept", () => {
  queries.setQueryData(keys.one("vhosts", "shop"), 1);
  queries.setQueryData(keys.all("me"), 2);
  work({}, queries);
  expect(queries.getQueryData(keys.one("vhosts", "shop"))).toBe(1);
  work({ change_set: ID }, queries);
  expect(queries.getQueryData(keys.one("vhosts", "shop"))).toBeUndefined();
  expect(queries.getQueryData(keys.all("me"))).toBe(2);
});

test("an address that names no change set is one without", () => {
  expect(workingSearch({ change_set: ID })).toEqual({ change_set: ID });
  for (const change_set of ["x", 3, [ID], undefined]) expect(workingSearch({ change_set })).toEqual({});
});
