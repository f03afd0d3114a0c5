import { expect, test } from "vitest";
import { atLines, inOrder, parseEntries } from "./entry-text";

const read = (text: string) => parseEntries(text).lines.map(({ line, entry }) => [line, entry.network, entry.comment, entry.expires_at]);
const faults = (text: string) => parseEntries(text).bad.map(({ line, reason }) => `${line}: ${reason}`);

test("lines of text and of CSV, each with its number", () => {
  const text = '# offices\n\n192.0.2.0/24 # Berlin, # old\r\n192.0.2.7\n198.51.100.0/24,"Paris, ""north""",2030-01-31\n203.0.113.1, Rome';
  expect(read(text)).toEqual([
    [3, "192.0.2.0/24", "Berlin, # old", null],
    [4, "192.0.2.7", "", null],
    [5, "198.51.100.0/24", 'Paris, "north"', "2030-01-31T00:00:00Z"],
    [6, "203.0.113.1", "Rome", null],
  ]);
  expect(faults(text)).toEqual([]);
});

test("a first line that names the columns orders them", () => {
  expect(read("comment,expires_at,network\nx,,192.0.2.1")).toEqual([[2, "192.0.2.1", "x", null]]);
  expect(faults("network,colour\n192.0.2.1,red")[0]).toMatch(/^1: `colour` is no column/);
});

test("what cannot be read is told with its line, and the others are read all the same", () => {
  const text = '192.0.2.1,"open\n192.0.2.2,a,b,c\n192.0.2.3,x,tomorrow\n192.0.2.4,"a" b\n192.0.2.5';
  expect(faults(text)).toEqual([
    "1: A quote is not closed on its line.",
    "2: At most 3 fields are wanted; a comment with a comma stands in quotes.",
    "3: `tomorrow` is no time: write 2027-01-31 (its beginning in UTC) or 2027-01-31T12:00:00Z.",
    "4: After a closing quote comes a comma.",
  ]);
  expect(read(text)).toEqual([[5, "192.0.2.5", "", null]]);
});

test("the server's errors are at their lines, one for each", () => {
  const { lines } = parseEntries("# a\nhello\n192.0.2.1\n192.0.2.1");
  const error = (pointer: string, detail: string) => ({ pointer, code: "x", detail });
  const { bad, others } = atLines(
    [
      error("/add/2/network", "There twice."),
      error("/add/0/network", "No network."),
      error("/items/0/comment", "Bad."),
      error("", "Else."),
    ],
    lines,
  );
  expect(inOrder(bad)).toEqual([
    { line: 2, text: "hello", reason: "No network. Bad." },
    { line: 4, text: "192.0.2.1", reason: "There twice." },
  ]);
  expect(others.map(({ detail }) => detail)).toEqual(["Else."]);
});
