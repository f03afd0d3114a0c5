// A whole Guard Proxy for tests: `guard-proxy demo` with a database, engines and sample sites of its own, on free ports of loopback.
// Programs: GUARD_PROXY and GUARD_SPOA, else what `scripts/build` makes.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, open, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = resolve(fileURLToPath(import.meta.url), "../../..");
const PATIENCE = 60_000;
export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

export interface Person {
  email: string;
  password: string;
}

export interface Server {
  /** Without `/api/v1`. */
  apiUrl: string;
  /** Where the protected sites are. */
  httpUrl: string;
  /** An administrator's. */
  token: string;
  /** Its folder; `log` in it has what the programs said. */
  state: string;
  /** Adds somebody who can sign in, with roles everywhere. */
  person(...roles: ("viewer" | "operator" | "editor" | "admin")[]): Promise<Person>;
  /** The last of what it and its engines said. */
  said(): Promise<string>;
  /** Ends all of it, and removes its folder. Can be called twice. */
  stop(): Promise<void>;
}

/**
 * Starts one and waits until its sites are live and proven: some seconds. It ends with this process at the latest (its folder is left where
 * that is interrupted); of a process that is killed by force nothing can be ended.
 */
export async function startServer(): Promise<Server> {
  const program = process.env.GUARD_PROXY ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "debug/guard-proxy");
  const state = await mkdtemp(join(tmpdir(), "guard-proxy-test."));
  // PostgreSQL does not run as root: its user has to come through.
  await chmod(state, 0o711);
  const [http, api, origin] = await freePorts(3);
  const log = await open(join(state, "demo.log"), "a");
  const child = spawn(program, ["demo", "--state", state, "--http-port", `${http}`, "--api-port", `${api}`, "--origin-port", `${origin}`], {
    cwd: ROOT,
    stdio: ["ignore", log.fd, log.fd],
    env: { GUARD_SPOA: join(ROOT, "bin/guard-spoa"), ...process.env },
  });
  const failed = once(child, "error").then(([error]) => error as Error);
  const kill = () => void child.kill("SIGTERM");
  process.once("exit", kill);
  const stop = async () => {
    await ended(child);
    process.off("exit", kill);
    await rm(state, { recursive: true, force: true });
  };
  try {
    const { api_url, http_url, token } = await ready(child, state, failed);
    return {
      apiUrl: api_url,
      httpUrl: http_url,
      token,
      state,
      person: (...roles) => person(api_url, token, roles),
      said: () => said(state),
      stop,
    };
  } catch (error) {
    const said = await readFile(join(state, "demo.log"), "utf8").catch(() => "");
    await stop();
    throw new Error(`${program} did not start\n${said.slice(-4000)}`, { cause: error });
  } finally {
    await log.close();
  }
}

async function said(state: string): Promise<string> {
  const tail = async (name: string) => {
    const text = await readFile(join(state, "log", name), "utf8").catch(() => "");
    return `--- ${name}\n${text.slice(-4000)}`;
  };
  return (await Promise.all(["guard-proxy.log", "guard-spoa.log", "haproxy.log"].map(tail))).join("\n");
}

interface Ready {
  api_url: string;
  http_url: string;
  token: string;
}

async function ready(child: ChildProcess, state: string, failed: Promise<Error>): Promise<Ready> {
  let error: Error | undefined;
  failed.then((found) => {
    error = found;
  });
  for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; ) {
    // It is renamed into place: there is no half of it.
    const text = await readFile(join(state, "demo.json"), "utf8").catch(() => undefined);
    if (text) return JSON.parse(text) as Ready;
    if (error) throw error;
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended: ${child.exitCode ?? child.signalCode}`);
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`not ready after ${PATIENCE / 1000} s`);
}

/** Asked to end, it stops its children in their order; killed, it could not. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const end = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
  await end;
  clearTimeout(timer);
}

/** Ports that nothing listens on, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

let people = 0;

async function person(api: string, token: string, roles: string[]): Promise<Person> {
  people += 1;
  const email = `person-${process.pid}-${people}@example.com`;
  const password = `correct horse ${process.pid} ${people}`;
  const invited = (await post(`${api}/api/v1/users`, { email, roles: roles.map((role) => ({ role })) }, token)) as {
    setup: { token: string };
  };
  await post(`${api}/api/v1/auth/setup`, { email, password, token: invited.setup.token });
  return { email, password };
}

async function post(url: string, body: object, token?: string): Promise<unknown> {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}
