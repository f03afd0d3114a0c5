import type { Entry, FieldError } from "@guard-proxy/client";

/** A line of what was pasted, with what was read from it. */
export type Line = { line: number; text: string; entry: Entry };
export type BadLine = { line: number; text: string; reason: string };
export type Parsed = { lines: Line[]; bad: BadLine[] };

const COLUMNS = ["network", "comment", "expires_at"] as const;
const IGNORED = "expired";

/**
 * Entries as people have them, a line each: `192.0.2.0/24 # comment`, or CSV (`network,comment,expiry`, with or without a line that
 * names the columns). Only what belongs to the form is judged here; what a network is the server knows.
 */
export function parseEntries(text: string): Parsed {
  const lines: Line[] = [];
  const bad: BadLine[] = [];
  let order: readonly string[] = COLUMNS;
  let first = true;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    const trimmed = raw.trim();
    if (!trimmed || trimmed.startsWith("#")) continue;
    const wasFirst = first;
    first = false;
    try {
      if (!isCsv(trimmed)) {
        const [network = "", ...comment] = trimmed.split("#");
        if (wasFirst && network.trim().toLowerCase() === "network") continue;
        lines.push({ line, text: raw, entry: { network: network.trim(), comment: comment.join("#").trim(), expires_at: null } });
        continue;
      }
      const fields = csvFields(trimmed);
      const names = fields.map((field) => field.toLowerCase());
      if (wasFirst && names.includes("network")) {
        order = named(names);
        continue;
      }
      lines.push({ line, text: raw, entry: entryOf(fields, order) });
    } catch (error) {
      bad.push({ line, text: raw, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return { lines, bad };
}

function isCsv(line: string): boolean {
  const comma = line.indexOf(",");
  const hash = line.indexOf("#");
  return line.startsWith('"') || (comma >= 0 && (hash < 0 || comma < hash));
}

function named(names: string[]): string[] {
  const unknown = names.find((name) => !(COLUMNS as readonly string[]).includes(name) && name !== IGNORED);
  if (unknown !== undefined) throw new Error(`\`${unknown}\` is no column: ${COLUMNS.join(", ")} are.`);
  return names;
}

function entryOf(fields: string[], order: readonly string[]): Entry {
  if (fields.length > order.length) throw new Error(`At most ${order.length} fields are wanted; a comment with a comma stands in quotes.`);
  const field = (name: string) => fields[order.indexOf(name)] ?? "";
  return { network: field("network"), comment: field("comment"), expires_at: moment(field("expires_at")) };
}

function moment(text: string): string | null {
  if (!text) return null;
  const full = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text;
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/.test(full) || Number.isNaN(Date.parse(full))) {
    throw new Error(`\`${text}\` is no time: write 2027-01-31 (its beginning in UTC) or 2027-01-31T12:00:00Z.`);
  }
  return full;
}

/** RFC 4180, a record a line. */
function csvFields(line: string): string[] {
  const fields: string[] = [];
  let rest = line;
  for (;;) {
    rest = rest.trimStart();
    if (rest.startsWith('"')) {
      const quoted = /^"((?:[^"]|"")*)"\s*/.exec(rest);
      if (!quoted) throw new Error("A quote is not closed on its line.");
      fields.push((quoted[1] ?? "").replaceAll('""', '"'));
      rest = rest.slice(quoted[0].length);
      if (rest && !rest.startsWith(",")) throw new Error("After a closing quote comes a comma.");
    } else {
      const end = rest.includes(",") ? rest.indexOf(",") : rest.length;
      fields.push(rest.slice(0, end).trim());
      rest = rest.slice(end);
    }
    if (!rest) return fields;
    rest = rest.slice(1);
  }
}

/** The server's errors at their lines; `/add/3/network` is about the fourth entry. The others are given back. */
export function atLines(errors: FieldError[], lines: Line[]): { bad: BadLine[]; others: FieldError[] } {
  const bad: BadLine[] = [];
  const others: FieldError[] = [];
  for (const error of errors) {
    const place = /^\/(?:add|items)\/(\d+)(?:\/|$)/.exec(error.pointer)?.[1];
    const found = place === undefined ? undefined : lines[Number(place)];
    if (found) bad.push({ line: found.line, text: found.text, reason: error.detail });
    else others.push(error);
  }
  return { bad, others };
}

/** One for each line, in their order. */
export function inOrder(bad: BadLine[]): BadLine[] {
  const byLine = new Map<number, BadLine>();
  for (const one of bad) {
    const there = byLine.get(one.line);
    if (!there) byLine.set(one.line, one);
    else if (!there.reason.includes(one.reason)) byLine.set(one.line, { ...there, reason: `${there.reason} ${one.reason}` });
  }
  return [...byLine.values()].sort((a, b) => a.line - b.line);
}
