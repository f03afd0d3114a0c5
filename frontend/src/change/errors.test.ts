import { expect, test } from "vitest";
import { inResource, refusedPlan, shownBeside } from "./errors";

const error = (pointer: string, line?: number) => ({ pointer, code: "x", detail: "No.", ...(line && { line }) });

test("pointers of staging and of plans become the resource's own, each fault once", () => {
  const found = inResource(
    [
      error("/operations/0/value/mode"),
      error("/policies/shop/mode"),
      error("/policies/shop"),
      error("/policies/shop-two/mode"),
      error("/operations/0/if_match"),
      error("/policies/shop/custom_rules/0/seclang", 2),
      error("/policies/shop/custom_rules/0/seclang", 3),
    ],
    "/policies/shop",
  );
  expect(found.map(({ pointer }) => pointer)).toEqual([
    "/mode",
    "",
    "/policies/shop-two/mode",
    "/operations/0/if_match",
    "/custom_rules/0/seclang",
    "/custom_rules/0/seclang",
  ]);
});

test("what is said at a field is not said twice", () => {
  expect(shownBeside(refusedPlan([error("/mode")]), []).detail).toBe("What is wrong is said where it is written.");
  expect(shownBeside(refusedPlan([error("/mode"), error("/x")]), [error("/x")]).errors).toHaveLength(1);
});
