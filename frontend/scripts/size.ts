// What a browser loads before it shows the first page: the entry's script and all that it imports outright, as gzip.
import { existsSync, readFileSync, statSync } from "node:fs";

const LIMIT = 200_000;
type Chunk = { file: string; imports?: string[]; isEntry?: boolean };
const manifest = JSON.parse(readFileSync("dist/.vite/manifest.json", "utf8")) as Record<string, Chunk>;

const seen = new Set<string>();
function add(key: string) {
  const chunk = manifest[key];
  if (!chunk || seen.has(chunk.file)) return;
  seen.add(chunk.file);
  for (const next of chunk.imports ?? []) add(next);
}
for (const [key, chunk] of Object.entries(manifest)) if (chunk.isEntry) add(key);

// The first page that most see, and the shell around it, are parts of their own.
for (const key of Object.keys(manifest)) if (/routes\/(?:_app|_app\/index)\.tsx/.test(key)) add(key);

let total = 0;
for (const file of seen) {
  const packed = `dist/${file}.gz`;
  const size = statSync(existsSync(packed) ? packed : `dist/${file}`).size;
  total += size;
  console.log(`${String(size).padStart(8)}  ${file}`);
}
console.log(`${String(total).padStart(8)}  of ${LIMIT} bytes, gzip, first page's script`);
if (total > LIMIT) process.exit(1);
