import { expect, test } from "vitest";
import { range } from "./marks";

const text = 'SecRule ARGS "@rx a"\n  "id:190001"';

test("a mark is the word at its place, else its line, else the whole", () => {
  const part = (line?: number, column?: number) => {
    const { from, to } = range(text, { line, column });
    return text.slice(from, to);
  };
  expect(part(1, 9)).toBe("ARGS");
  expect(part(1, 14)).toBe('"');
  expect(part(2)).toBe('  "id:190001"');
  expect(part(2, 99)).toBe('  "id:190001"');
  expect(part(9, 1)).toBe(text);
  expect(part()).toBe(text);
});
