import { expect, test } from "vitest";
import { backTo } from "./back";

test.each([
  [undefined, "/"],
  ["/vhosts/shop?q=1", "/vhosts/shop?q=1"],
  ["https://evil.example", "/"],
  ["//evil.example", "/"],
  ["/\\evil.example", "/"],
  ["javascript:alert(1)", "/"],
  ["/sign-in?redirect=/", "/"],
])("after the sign-in %s leads to %s", (given, expected) => {
  expect(backTo(given)).toBe(expected);
});
