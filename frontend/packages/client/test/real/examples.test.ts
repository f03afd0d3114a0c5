// The README's examples: compiled as they stand, and run in Node and in a browser.
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { type Browser, chromium, type Page } from "@playwright/test";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { CHROMIUM } from "../../../../test/server.ts";
import { createGuardProxy, getStatus, putPolicy, unwrap, waitLive } from "../../src/index.ts";

const PACKAGE = join(import.meta.dirname, "../..");
const FOLDER = join(PACKAGE, "test/.examples");
const BIN = join(PACKAGE, "../../node_modules/.bin");
const { url, token } = inject("api");
const admin = createGuardProxy({ baseUrl: url, token });
const examples = readFileSync(join(PACKAGE, "README.md"), "utf8").matchAll(/^```ts\n(.*?)^```$/gms);
const names = [...examples].map(([, text = ""]) => ({ text, name: /export async function (\w+)/.exec(text)?.[1] ?? "" }));

beforeAll(async () => {
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER, { recursive: true });
  for (const { name, text } of names) await writeFile(join(FOLDER, `${name}.ts`), text);
  const compilerOptions = {
    ...{ target: "ES2022", module: "NodeNext", lib: ["ES2023", "DOM", "DOM.Iterable"], types: [] },
    ...{ strict: true, noUncheckedIndexedAccess: true, noUnusedLocals: true, exactOptionalPropertyTypes: false },
  };
  await writeFile(join(FOLDER, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  // It says what is wrong on stdout.
  await promisify(execFile)(process.execPath, [join(BIN, "tsc"), "-p", FOLDER]).catch((error) => {
    throw new Error(error.stdout);
  });
  // One that reports only, for the example to change.
  await unwrap(putPolicy({ client: admin, path: { policy: "careful" }, body: { mode: "detect" } }));
});
afterAll(() => rm(FOLDER, { recursive: true, force: true }));

it("are three", () => {
  expect(names.map(({ name }) => name)).toEqual(["hostnames", "block", "nextLive"]);
});

/** What all environments have to find; `run` calls an example there. */
function behaves(run: (name: string) => Promise<unknown>) {
  it("lists all hostnames", async () => {
    expect(await run("hostnames")).toEqual(expect.arrayContaining(["shop.localhost", "blog.localhost"]));
  });
  it("changes a policy and waits until it is live", async () => {
    await waitLive(putPolicy, { client: admin, path: { policy: "careful" }, body: { mode: "detect" }, headers: { "If-Match": "*" } });
    const said = await run("block");
    expect(said).toMatch(/^live in revision \d+$/);
    expect(Number(/\d+/.exec(String(said)))).toBe((await unwrap(getStatus({ client: admin }))).live);
  });
  it("follows the stream until something is live", async () => {
    const next = run("nextLive");
    let ended = false;
    const end = () => {
      ended = true;
    };
    next.then(end, end);
    // It listens some time after it was started: changes until it has heard of one.
    for (let title = 0; !ended && title < 20; title++) {
      const body = { mode: "detect", title: `${title} ${Date.now()}` } as const;
      await waitLive(putPolicy, { client: admin, path: { policy: "careful" }, body, headers: { "If-Match": "*" } });
    }
    expect(await next).toBeGreaterThan(1);
  });
}

// The Node of these tests, and the one that the machine has: it may be older.
const outside = (process.env.PATH ?? "").split(":").filter((folder) => !folder.includes("node_modules"));
const versions = new Map<string, string>();
for (const program of [process.execPath, "node"]) {
  const env = { ...process.env, PATH: outside.join(":") };
  try {
    versions.set(execFileSync(program, ["--version"], { env, encoding: "utf8" }).trim(), program);
  } catch {
    // There is none.
  }
}
describe.each([...versions])("in Node %s", (_, program) => {
  const script =
    "const [file, name, ...rest] = process.argv.slice(1); console.log(JSON.stringify(await (await import(file))[name](...rest)))";
  behaves(async (name) => {
    const args = ["--input-type=module", "-e", script, join(FOLDER, `${name}.js`), name, url, token];
    const env = { ...process.env, PATH: outside.join(":") };
    return JSON.parse((await promisify(execFile)(program, args, { cwd: PACKAGE, env, timeout: 60_000 })).stdout);
  });
});

describe("in Chromium", () => {
  let [server, browser, page]: [Server?, Browser?, Page?] = [];

  // The page, the package as it was built, and the API, of one origin: as the panel has it.
  beforeAll(async () => {
    const map = { imports: { "@guard-proxy/client": "/dist/index.js" } };
    const html = `<!doctype html><script type="importmap">${JSON.stringify(map)}</script>`;
    server = createServer((incoming, answer) => {
      const path = new URL(incoming.url ?? "/", url).pathname;
      if (path.startsWith("/api/")) {
        const headers = { ...incoming.headers, host: new URL(url).host };
        const forward = request(new URL(incoming.url ?? "/", url), { method: incoming.method, headers }, (response) => {
          answer.writeHead(response.statusCode ?? 502, response.headers);
          response.pipe(answer);
        });
        forward.on("error", () => answer.destroy());
        answer.on("close", () => forward.destroy());
        incoming.pipe(forward);
        return;
      }
      const types: Record<string, string> = { ".js": "text/javascript", "": "text/html" };
      const folder = path.startsWith("/dist/") ? PACKAGE : FOLDER;
      const body = path === "/" ? Promise.resolve(html) : readFile(join(folder, path));
      body.then(
        (text) => answer.writeHead(200, { "Content-Type": types[extname(path)] ?? "text/plain" }).end(text),
        () => answer.writeHead(404).end(),
      );
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    browser = await chromium.launch({ executablePath: CHROMIUM, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${port}/`);
  });
  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
  });

  // As text: vitest rewrites an `import()` that it sees.
  behaves(async (name) => page?.evaluate(`import("/${name}.js").then((example) => example.${name}(undefined, ${JSON.stringify(token)}))`));
});
