// Whether src/generated is what the document says, and the package has Cargo.toml's version.
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@hey-api/openapi-ts";
import config from "../openapi-ts.config.ts";

process.chdir(join(import.meta.dirname, ".."));
const fresh = await mkdtemp(join(tmpdir(), "guard-proxy-client."));
const differences = [];
try {
  await createClient({ ...config, output: { ...config.output, path: fresh }, logs: { level: "silent" } });
  const [want, have] = [await files(fresh), await files("src/generated")];
  for (const name of new Set([...want.keys(), ...have.keys()])) if (want.get(name) !== have.get(name)) differences.push(name);
} finally {
  await rm(fresh, { recursive: true });
}
const { version } = JSON.parse(await readFile("package.json", "utf8"));
const cargo = /^version = "(.*)"$/m.exec(await readFile("../../../Cargo.toml", "utf8"))?.[1];

if (differences.length > 0) {
  console.error(`error: src/generated is not what openapi/openapi.json makes: ${differences.sort().join(", ")}`);
  console.error("hint: `npm run gen` in frontend/, and commit what it writes");
}
if (version !== cargo) console.error(`error: package.json has version ${version}, Cargo.toml ${cargo}`);
process.exitCode = differences.length > 0 || version !== cargo ? 1 : 0;

async function files(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(await Promise.all(paths.map(async (path) => [path.slice(folder.length + 1), await readFile(path, "utf8")])));
}
