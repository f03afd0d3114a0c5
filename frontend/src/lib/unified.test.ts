import { expect, test } from "vitest";
import { sides } from "./unified";

test("a unified diff is two sides with their own line numbers", () => {
  const [hunk, ...more] = sides("--- a/x\n+++ b/x\n@@ -3,3 +3,4 @@\n same\n-old\n+new\n+more\n end\n\\ No newline at end of file\n");
  expect(more).toEqual([]);
  expect(hunk?.pairs.map(({ left, right }) => [left && `${left.number}${left.text}`, right && `${right.number}${right.text}`])).toEqual([
    ["3same", "3same"],
    ["4old", "4new"],
    [undefined, "5more"],
    ["5end", "6end"],
  ]);
});

test("what was added or removed whole has one side", () => {
  expect(sides("--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+one\n")[0]?.pairs).toEqual([
    { left: undefined, right: { number: 1, text: "one", changed: true } },
  ]);
});
