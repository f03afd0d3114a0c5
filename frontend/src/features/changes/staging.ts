import {
  type ChangeSet,
  type Conflict,
  client,
  type Entry,
  type Kind,
  listEntries,
  type ObjectDiff,
  paginate,
  rebaseChangeSet,
} from "@guard-proxy/client";
import { call } from "@/lib/api";
import { same } from "@/lib/conflict";
import { reference } from "@/lib/objects";
import { parts } from "@/lib/pointer";

type Value = Record<string, unknown>;
type Method = "GET" | "PUT" | "PATCH" | "DELETE" | "POST";
type Sent = { query: Record<string, string | number>; body?: unknown; headers?: Record<string, string> };

const security = [{ scheme: "bearer", type: "http" }] as const;

/** Objects of all kinds by their path: what is staged is whatever it is. */
function send(method: Method, path: string, { query, body, headers }: Sent): Promise<unknown> {
  return call(client.request({ method, url: `/api/v1/${path}`, query, body, headers, security: [...security] }));
}

/** As the change set shows it, with the ETag to write it back with. */
export async function staged(changeSet: string, kind: Kind, name: string): Promise<Value> {
  return (await send("GET", reference(kind, name), { query: { change_set: changeSet } })) as Value;
}

export async function stage(changeSet: string, kind: Kind, name: string, value: Value): Promise<void> {
  const { etag } = (value.meta ?? {}) as { etag?: string };
  await send("PUT", reference(kind, name), { query: { change_set: changeSet }, body: value, headers: { "If-Match": etag ?? "*" } });
}

/** One object as its base has it: then it is in the change set no more. */
export async function unstage({ id, base }: ChangeSet, object: ObjectDiff): Promise<void> {
  const path = reference(object.kind, object.name);
  const query = { change_set: id };
  if (object.change === "created") {
    await send("DELETE", path, { query, headers: { "If-Match": "*" } });
    return;
  }
  const before = (await send("GET", path, { query: { revision: base } })) as Value;
  const deleted = object.change === "deleted";
  await send("PUT", path, { query, body: before, headers: deleted ? { "If-None-Match": "*" } : { "If-Match": "*" } });
  if (object.kind !== "ip_list") return;
  const { add, remove } = entriesBack(object);
  if (deleted || object.fields_left_out > 0) {
    const all: Entry[] = [];
    for await (const entry of paginate(listEntries, { client, path: { ip_list: object.name }, query: { revision: base, limit: 500 } })) {
      all.push({ network: entry.network, comment: entry.comment, expires_at: entry.expires_at });
    }
    await send("PUT", `${path}/entries`, { query, body: all, headers: { "If-Match": "*" } });
  } else if (add.length + remove.length > 0) {
    await send("POST", `${path}/entries:batch`, { query, body: { add, remove } });
  }
}

/** What brings a list's entries back: what went comes, what came goes. */
export function entriesBack({ fields }: ObjectDiff): { add: unknown[]; remove: string[] } {
  const entries = fields.filter(({ pointer }) => pointer.startsWith("/entries/"));
  return {
    add: entries.flatMap(({ before }) => (before ? [before] : [])),
    remove: entries.flatMap(({ before, pointer }) => (before ? [] : [parts(pointer)[1] ?? ""])),
  };
}

export type Choice = "yours" | "theirs";

/** An object or an element of one; an array, where its order is contested; null where it is not there. */
export type Side = Value | unknown[] | null;

/**
 * Brings a change set onto the newest revision where both changed the same. First what is contested becomes as theirs, so that it can be
 * brought; then what is to be yours is staged again, on top of theirs.
 */
export async function resolve(changeSet: string, conflicts: Conflict[], choose: (conflict: Conflict) => Choice): Promise<void> {
  for (const one of conflicts) await put(changeSet, one, one.yours, one.theirs);
  await call(rebaseChangeSet({ path: { change_set: changeSet } }));
  for (const one of conflicts) {
    const { yours, theirs } = one;
    const choice = choose(one);
    // Of an object that is there on both sides the fields are settled one by one; everything else is one side or the other.
    if (one.element === "" && isObject(yours) && isObject(theirs)) await put(changeSet, one, theirs, settled(one, choice));
    else if (choice === "yours") await put(changeSet, one, theirs, yours);
  }
}

/** What only one side changed is kept whatever the choice is: that is not contested. */
export function settled({ base, yours, theirs }: Conflict, choice: Choice): Value {
  const [before, here, there] = [members(base), members(yours), members(theirs)];
  const result = { ...there };
  for (const field of new Set([...Object.keys(here), ...Object.keys(before)])) {
    const [was, mine, other] = [before[field], here[field], there[field]];
    if (same(mine, was) || !(choice === "yours" || same(other, was))) continue;
    if (mine === undefined) delete result[field];
    else result[field] = mine;
  }
  return result;
}

function members(side: Side): Value {
  return isObject(side) ? side : {};
}

/** From how a unit is in the change set to how it is to be there. */
async function put(changeSet: string, { kind, name, element, fields }: Conflict, now: Side, side: Side): Promise<void> {
  const query = { change_set: changeSet };
  const path = reference(kind, name);
  const any = { "If-Match": "*" };
  if (same(now, side)) return;
  if (element.startsWith("/entries/")) {
    const body = side ? { add: [side], remove: [] } : { add: [], remove: [parts(element)[1]] };
    await send("POST", `${path}/entries:batch`, { query, body });
  } else if (element) {
    const at = `${path}/${elementPath(element)}`;
    if (side) await send("PUT", at, { query, body: side, headers: now ? any : {} });
    else await send("DELETE", at, { query, headers: any });
  } else if (Array.isArray(side)) {
    // Two orders of an array.
    const body = parts(fields[0] ?? "").reduceRight<unknown>((value, part) => ({ [part]: value }), side);
    await send("PATCH", path, { query, body, headers: any });
  } else if (isObject(side) && isObject(now)) {
    await send("PATCH", path, { query, body: withoutKeyed(patchTo(now, side)), headers: any });
  } else if (side) {
    await send("PUT", path, { query, body: side, headers: { "If-None-Match": "*" } });
  } else {
    await send("DELETE", path, { query, headers: any });
  }
}

/** The merge patch (RFC 7396) that makes one of the other. */
export function patchTo(from: Value, to: Value): Value {
  const patch: Value = {};
  for (const name of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const [was, is] = [from[name], to[name]];
    if (same(was, is)) continue;
    patch[name] = isObject(was) && isObject(is) ? patchTo(was, is) : (is ?? null);
  }
  return patch;
}

function isObject(value: unknown): value is Value {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Elements of keyed arrays are units of their own: the object's own conflict says nothing of them, and has null in their place. */
function withoutKeyed(patch: Value): Value {
  const { exclusions: _e, custom_rules: _c, paths: _p, ...rest } = patch;
  if (!isObject(rest.upstream)) return rest;
  const { servers: _s, ...upstream } = rest.upstream;
  return { ...rest, upstream };
}

/** `/custom_rules/190001` is `custom-rules/190001` in paths; a vhost's servers are `/upstream/servers/a`. */
export function elementPath(element: string): string {
  const all = parts(element);
  const key = all.pop() ?? "";
  const collection = (all.pop() ?? "").replace("_", "-");
  return `${collection}/${encodeURIComponent(key)}`;
}
