import type { FieldError, Severity } from "@guard-proxy/client";

/** Something to be seen at a place of a text: line and column from 1, as the server counts them. */
export type Mark = { line?: number | null; column?: number | null; severity: Severity; message: string };

/** @public */
export function marksOf(errors: FieldError[]): Mark[] {
  return errors.map(({ line, column, detail }) => ({ line, column, severity: "error", message: detail }));
}

/** The part of the text that a mark is about: from its column to the end of the word there; the line, or all of it, where that is unknown. */
export function range(text: string, { line, column }: Pick<Mark, "line" | "column">): { from: number; to: number } {
  const lines = text.split("\n");
  if (!line || line > lines.length) return { from: 0, to: text.length };
  const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  const content = lines[line - 1] ?? "";
  if (!column || column > content.length) return { from: start, to: start + content.length };
  const word = /^\w+/.exec(content.slice(column - 1));
  return { from: start + column - 1, to: start + column - 1 + (word?.[0].length ?? 1) };
}
