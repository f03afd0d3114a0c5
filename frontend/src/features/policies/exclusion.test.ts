import { expect, test } from "vitest";
import { effectWords, exclusionOf, FRESH, fieldOf, isExpired, suggestedId } from "./exclusion";

test("the form's three ways to name rules become one", () => {
  expect(exclusionOf({ ...FRESH, rule: 942100, tag: "left over" }).rule).toEqual({ id: 942100 });
  expect(exclusionOf({ ...FRESH, by: "range", from: 942100, to: 942199 }).rule).toEqual({ range: { from: 942100, to: 942199 } });
  expect(exclusionOf({ ...FRESH, by: "tag", tag: " attack-sqli " }).rule).toEqual({ tag: "attack-sqli" });
  expect(exclusionOf({ ...FRESH, rule: 942100 })).toMatchObject({ target: null, path: null, expires_at: null });
});

test("the server's pointers are fields of the form", () => {
  expect(fieldOf("/rule", "id")).toBe("rule");
  expect(fieldOf("/rule/range/to", "range")).toBe("to");
  expect(fieldOf("/rule", "range")).toBe("from");
  expect(fieldOf("/rule/tag", "tag")).toBe("tag");
  expect(fieldOf("/path/prefix", "id")).toBe("prefix");
  expect(fieldOf("/expires_at", "id")).toBe("expires");
  expect(fieldOf("/operations/0/path", "id")).toBe("id");
  expect(fieldOf("/unknown", "id")).toBeUndefined();
});

test("a name is suggested that says what it is, and is free", () => {
  const values = { ...FRESH, rule: 942100 as const, target: "ARGS:Comment[]" };
  expect(suggestedId(values, new Set())).toBe("rule-942100-args-comment");
  expect(suggestedId(values, new Set(["rule-942100-args-comment"]))).toBe("rule-942100-args-comment-2");
  expect(suggestedId({ ...values, target: `ARGS:${"x".repeat(120)}` }, new Set()).length).toBeLessThanOrEqual(63);
});

test("its effect in a sentence, and whether it is past", () => {
  expect(effectWords({ rule: { id: 942100 }, target: "ARGS:q", path: { prefix: "/search/" } })).toBe(
    "Rule 942100 no longer looks at ARGS:q under /search/.",
  );
  expect(effectWords({ rule: { tag: "attack-xss" }, target: null, path: null })).toBe("Rules tagged attack-xss are out everywhere.");
  expect(isExpired("2026-01-01T00:00:00Z", Date.parse("2026-01-01T00:00:00Z"))).toBe(true);
  expect(isExpired(null)).toBe(false);
});
