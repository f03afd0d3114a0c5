import { expect, test } from "vitest";
import { differences, merged } from "./conflict";

const base = { mode: "block", paranoia: { blocking: 1, detection: 2 }, hosts: ["a"], title: "x", meta: { etag: "1" } };
const mine = { ...base, mode: "detect", paranoia: { blocking: 1, detection: 3 }, title: "mine" };
const theirs = { ...base, paranoia: { blocking: 2, detection: 2 }, hosts: ["a", "b"], title: "theirs", meta: { etag: "2" } };

test("each difference has who made it", () => {
  expect(differences(base, mine, theirs).map(({ pointer, by }) => [pointer, by])).toEqual([
    ["/mode", "mine"],
    ["/paranoia/blocking", "theirs"],
    ["/paranoia/detection", "mine"],
    ["/hosts", "theirs"],
    ["/title", "both"],
  ]);
  expect(differences(base, base, base)).toEqual([]);
});

test("what is chosen is put together, with their meta", () => {
  const choice = { "/mode": "mine", "/paranoia/detection": "mine", "/title": "theirs" } as const;
  expect(merged(mine, theirs, choice)).toEqual({
    mode: "detect",
    paranoia: { blocking: 2, detection: 3 },
    hosts: ["a", "b"],
    title: "theirs",
    meta: { etag: "2" },
  });
});
