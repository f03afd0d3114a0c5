import { expect, test } from "vitest";
import { makeQueries } from "@/lib/queries";
import { PAGES, pathOf } from "../e2e/pages.ts";
import { makeRouter } from "./router";

test("every page of the panel is looked at in a browser", () => {
  const router = makeRouter(makeQueries());
  const pages = Object.values(router.routesByPath).map(({ id }) => String(id));
  const looked = PAGES.map((page) => {
    const { pathname } = new URL(pathOf(page, { user: "u1", changeSet: "c1", deployment: "d1" }), "http://panel.test");
    const [, , found] = router.getMatchedRoutes(pathname);
    return String(found?.id);
  });
  expect(pages.filter((id) => !looked.includes(id))).toEqual([]);
});
