// The panel as the server's binary serves it: files of `dist`, the page with a nonce of its own and the policy that goes with it, the API
// from the same origin. So the tests need no server that was built after the panel.

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const DIST = resolve(fileURLToPath(import.meta.url), "../../../dist");
const OF_THE_SERVER = new Set(["api", "docs", "health", "ready", "metrics", ".well-known"]);
const KINDS: Record<string, string> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

export interface Front {
  url: string;
  stop(): Promise<void>;
}

export async function startFront(apiUrl: string): Promise<Front> {
  const html = await readFile(join(DIST, "index.html"), "utf8").catch(() => {
    throw new Error("the panel is not built: npm run build");
  });
  const server = createServer((asked, answer) => {
    const { pathname } = new URL(asked.url ?? "/", "http://panel");
    if (OF_THE_SERVER.has(pathname.split("/")[1] ?? "")) pass(apiUrl, asked, answer);
    else if (KINDS[extname(pathname)]) void file(pathname, answer);
    else page(html, answer);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };
}

/** As `policy` of src/web.rs has it. */
function page(html: string, answer: ServerResponse) {
  const nonce = randomBytes(16).toString("base64url");
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "connect-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "manifest-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
  ].join("; ");
  const headers = { "content-type": "text/html; charset=utf-8", "cache-control": "no-cache", "content-security-policy": policy };
  answer.writeHead(200, headers).end(html.replaceAll("%STYLE_NONCE%", nonce));
}

async function file(pathname: string, answer: ServerResponse) {
  const path = join(DIST, pathname);
  const data = path.startsWith(DIST + sep) ? await readFile(path).catch(() => undefined) : undefined;
  if (data) answer.writeHead(200, { "content-type": KINDS[extname(path)] }).end(data);
  else answer.writeHead(404).end();
}

/** `Host` stays the browser's, so that origin and cookie are this server's. */
function pass(apiUrl: string, asked: IncomingMessage, answer: ServerResponse) {
  const { hostname, port } = new URL(apiUrl);
  const options = { hostname, port, method: asked.method, path: asked.url, headers: asked.headers };
  const further = request(options, (got) => {
    answer.writeHead(got.statusCode ?? 502, got.headers);
    // A stream's head is to arrive before its first event.
    answer.flushHeaders();
    got.pipe(answer);
    got.on("error", () => answer.destroy());
  });
  further.on("error", () => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end()));
  answer.on("close", () => further.destroy());
  asked.pipe(further);
}
