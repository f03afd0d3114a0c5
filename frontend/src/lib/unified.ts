/** A unified diff as two sides, line by line. */
export type SideLine = { number: number; text: string; changed: boolean };
export type Pair = { left?: SideLine; right?: SideLine };
export type Hunk = { head: string; pairs: Pair[] };

export function sides(diff: string): Hunk[] {
  const hunks: Hunk[] = [];
  let [left, right] = [0, 0];
  let removed: SideLine[] = [];
  let added: SideLine[] = [];
  const flush = () => {
    const pairs = hunks.at(-1)?.pairs;
    for (let i = 0; i < Math.max(removed.length, added.length); i++) pairs?.push({ left: removed[i], right: added[i] });
    [removed, added] = [[], []];
  };
  for (const line of diff.replace(/\n$/, "").split("\n")) {
    const head = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(line);
    if (head) {
      flush();
      [left, right] = [Number(head[1]), Number(head[2])];
      hunks.push({ head: line, pairs: [] });
    } else if (hunks.length === 0) {
      // The names of both files.
    } else if (line.startsWith("-")) {
      removed.push({ number: left++, text: line.slice(1), changed: true });
    } else if (line.startsWith("+")) {
      added.push({ number: right++, text: line.slice(1), changed: true });
    } else if (!line.startsWith("\\")) {
      flush();
      const text = line.slice(1);
      hunks.at(-1)?.pairs.push({ left: { number: left++, text, changed: false }, right: { number: right++, text, changed: false } });
    }
  }
  flush();
  return hunks;
}
