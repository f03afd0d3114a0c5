import { notifications } from "@mantine/notifications";
import { expect, test, vi } from "vitest";
import type { Ask } from "./model";
import { tell } from "./tell";

const remove = { method: "DELETE", path: "/policies/shop" } as const;
const patch = { method: "PATCH", path: "/policies/shop", value: {} } as const;

test.each<[string, Ask["operations"], number]>([
  ["a form's", [patch], 0],
  ["a deletion", [remove], 1],
  ["several", [patch, patch], 1],
  ["entries, in one go", [{ method: "POST", path: "/ip-lists/office/entries:batch", value: {} }], 1],
])("what is staged where one works is told unless a form shows it: %s", (_, operations, times) => {
  const shown = vi.spyOn(notifications, "show");
  tell({ kind: "staged", changeSet: "c1", working: true }, { operations, message: "why" });
  expect(shown).toHaveBeenCalledTimes(times);
});

test("what was refused is told with where it is kept, whoever asked for it", () => {
  const shown = vi.spyOn(notifications, "show");
  tell({ kind: "refused", revision: 8 });
  expect(shown).toHaveBeenCalledWith(expect.objectContaining({ title: "Revision 8 was refused" }));
});
