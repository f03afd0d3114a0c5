import { type Client, createClient, createConfig } from "./generated/client/index.js";
import { toProblem } from "./problem.js";

export interface GuardProxyOptions {
  /** Without `/api/v1`; in a page, absent is where the page came from. */
  baseUrl?: string;
  token?: string;
  /** Instead of `token`: asked for each request, and again with a token that was refused; another than that is tried once. */
  getToken?: (refused?: string) => string | undefined | Promise<string | undefined>;
  fetch?: typeof globalThis.fetch;
  /** Set up this client instead of a new one: with the generated `client`, operations need none in their options. */
  client?: Client;
}

/** A client to be given to the generated functions: it has the credential, problems as errors, and If-Match. */
export function createGuardProxy(options: GuardProxyOptions = {}): Client {
  const { baseUrl = "", client = createClient(createConfig()), getToken = () => options.token } = options;
  client.setConfig({ baseUrl, auth: () => getToken(), fetch: renewing(options) });
  client.interceptors.error.use(toProblem);
  keepTags(client);
  return client;
}

// `fetch`, once more with another token where the first is refused; requests that are refused together ask for one together.
function renewing({ getToken, fetch }: GuardProxyOptions): typeof globalThis.fetch {
  const asked = new Map<string, Promise<string | undefined>>();
  return async (input, init) => {
    const send = fetch ?? globalThis.fetch;
    const request = new Request(input, init);
    const refused = request.headers.get("Authorization")?.replace(/^Bearer /, "");
    if (!getToken || !refused) return send(request);
    const again = request.clone();
    const response = await send(request);
    // A wrong password is 401, too: that is not to be sent twice.
    if (response.status !== 401 || (await response.clone().json().catch(Object)).code !== "unauthenticated") return response;
    const answer = asked.get(refused) ?? Promise.resolve(getToken(refused)).finally(() => asked.delete(refused));
    const token = await asked.set(refused, answer).get(refused);
    if (!token || token === refused) return response;
    await response.body?.cancel();
    again.headers.set("Authorization", `Bearer ${token}`);
    return send(again);
  };
}

type Tagged = { meta?: { etag?: string }; name?: string; id?: string | number; prefix?: string };
const TAGGED = /\/(policies|vhosts|ip-lists|exclusions|custom-rules|servers|paths)$/;

// Remembers the ETag of each representation that was read, and sends it when that is changed. What is written back with its `meta` is sent
// with that ETag: other reads may have come between. A change set's view has ETags of its own; those of the past are none to write with.
function keepTags({ interceptors }: Client): void {
  const tags = new Map<string, string>();
  const key = (url: URL, element = "") => `${url.pathname}${element}?${url.searchParams.get("change_set") ?? ""}`;
  interceptors.request.use((request, { body }) => {
    const { headers, method } = request;
    const known = tags.get(key(new URL(request.url)));
    const given = headers.has("If-Match") || headers.has("If-None-Match") || !/PUT|PATCH|DELETE/.test(method);
    // Only of what is known: a copy under another name is new, whatever its `meta` says.
    if (known && !given) headers.set("If-Match", (body as Tagged | undefined)?.meta?.etag ?? known);
    return request;
  });
  interceptors.response.use(async (response, request) => {
    const url = new URL(request.url);
    if (!response.ok || request.method === "POST" || url.searchParams.has("revision")) return response;
    const tag = response.headers.get("ETag");
    if (request.method === "DELETE") tags.delete(key(url));
    else if (tag) tags.set(key(url), tag);
    const list = request.method === "GET" && !tag && TAGGED.test(url.pathname) ? await response.clone().json() : {};
    for (const { meta, name, id, prefix } of (list.items ?? []) as Tagged[])
      if (meta?.etag) tags.set(key(url, `/${encodeURIComponent(name ?? id ?? prefix ?? "")}`), meta.etag);
    return response;
  });
}
