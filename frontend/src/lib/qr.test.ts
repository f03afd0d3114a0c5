import { expect, test } from "vitest";
import { qr } from "./qr";

const shape = (rows: boolean[][]) => rows.map((row) => row.map((one) => (one ? "#" : ".")).join(""));

test("a code has the size that its text needs, and its finders", () => {
  const small = shape(qr("HELLO"));
  expect(small.length).toBe(21);
  for (const [y, line] of ["#######.", "#.....#.", "#.###.#.", "#.###.#.", "#.###.#.", "#.....#.", "#######.", "........"].entries()) {
    expect(small[y]?.slice(0, 8)).toBe(line);
    expect(small[y]?.slice(-8)).toBe([...line].reverse().join(""));
  }
  expect(qr("x".repeat(107)).length).toBe(45);
  expect(qr("x".repeat(300)).length).toBe(69);
  expect(() => qr("x".repeat(400))).toThrow();
});
