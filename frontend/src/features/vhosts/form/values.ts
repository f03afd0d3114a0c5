import type { OnPartial, PathBody, Vhost, VhostPath, VhostRepresentation } from "@guard-proxy/client";
import { same, type Value } from "@/lib/conflict";

/** A number that is being typed may be nothing for a moment. */
type Typed = number | "";
type Label = { key: string; value: string };
export type PathValues = {
  prefix: string;
  policy: string | null;
  websocket: "" | "yes" | "no";
  on_partial: OnPartial | "";
  max_bytes: Typed;
};
export type ServerValues = { name: string; address: string; port: Typed; weight: Typed; backup: boolean };

/** The form's: as the resource, but for lists of labels and what a path leaves out. */
export type VhostValues = Omit<VhostRepresentation, "meta" | "labels" | "paths" | "upstream" | "body" | "rate_limit"> & {
  labels: Label[];
  paths: PathValues[];
  upstream: {
    balance: VhostRepresentation["upstream"]["balance"];
    servers: ServerValues[];
    health_check: { path: string; interval_ms: Typed; rise: Typed; fall: Typed; expect_status: string } | null;
    timeouts: { connect_ms: Typed; response_ms: Typed; queue_ms: Typed };
  };
  body: { on_partial: OnPartial; max_bytes: Typed };
  rate_limit: { requests: Typed; period: NonNullable<VhostRepresentation["rate_limit"]>["period"] } | null;
};

export const NO_PATH: PathValues = { prefix: "", policy: null, websocket: "", on_partial: "", max_bytes: "" };
export const NO_SERVER: ServerValues = { name: "", address: "", port: "", weight: 100, backup: false };
export const CHECK = { path: "/", interval_ms: 2_000, rise: 2, fall: 3, expect_status: "200-399" };

/** As the server would fill it in. */
export const FRESH: VhostValues = {
  name: "",
  title: "",
  description: "",
  hostnames: [],
  enabled: true,
  protected: false,
  labels: [],
  policy: "",
  paths: [],
  upstream: {
    balance: "roundrobin",
    servers: [NO_SERVER],
    health_check: null,
    timeouts: { connect_ms: 2_000, response_ms: 30_000, queue_ms: 5_000 },
  },
  access: { deny: [], allow_only: [], trust: [] },
  client_ip: { trusted_proxies: [], header: "x-forwarded-for" },
  body: { on_partial: "deny", max_bytes: 104_857_600 },
  rate_limit: null,
  on_waf_unavailable: "deny",
  on_ambiguous_path: "strict",
  websocket: false,
};

export function valuesOf({ meta: _, labels, paths, ...vhost }: VhostRepresentation): VhostValues {
  return {
    ...vhost,
    labels: Object.entries(labels).map(([key, value]) => ({ key, value })),
    // What a path leaves out may be left out of the answer, too.
    paths: paths.map(({ prefix, policy, websocket, body }: Omit<VhostPath, "body"> & { body?: Partial<PathBody> }) => ({
      prefix,
      policy: policy ?? null,
      websocket: typeof websocket === "boolean" ? (websocket ? "yes" : "no") : "",
      on_partial: body?.on_partial ?? "",
      max_bytes: body?.max_bytes ?? "",
    })),
  };
}

/** What the form says, as the API takes it. What is empty and has to be there the server refuses, at its field. */
export function vhostOf({ labels, paths, upstream, ...values }: VhostValues): Vhost {
  const vhost = {
    ...values,
    labels: Object.fromEntries(labels.filter(({ key, value }) => key || value).map(({ key, value }) => [key.trim(), value.trim()])),
    paths: paths.map(({ prefix, policy, websocket, on_partial, max_bytes }) => ({
      prefix: prefix.trim(),
      policy,
      websocket: websocket === "" ? null : websocket === "yes",
      body: { on_partial: on_partial || null, max_bytes: max_bytes === "" ? null : max_bytes },
    })),
    upstream: {
      ...upstream,
      servers: upstream.servers.map((server) => ({ ...server, name: server.name.trim() || null, address: server.address.trim() })),
    },
  };
  return vhost as Vhost;
}

/** What differs, as a merge patch: members that a later version knows and this form does not stay as they are. */
export function patchOf(base: Value, mine: Value): Value {
  const patch: Value = {};
  for (const name of new Set([...Object.keys(base), ...Object.keys(mine)])) {
    const [was, is] = [base[name], mine[name]];
    if (same(was, is)) continue;
    patch[name] = isObject(was) && isObject(is) ? patchOf(was, is) : is === undefined ? null : is;
  }
  return patch;
}

function isObject(value: unknown): value is Value {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What can be said before the server is asked: what is missing. Everything else is the server's to judge. */
export function missing(values: VhostValues): Record<string, string> {
  const faults: Record<string, string> = {};
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(values.name)) faults.name = "Letters a to z, digits and hyphens; the first is no hyphen.";
  if (values.hostnames.length === 0) faults.hostnames = "One at least.";
  if (!values.policy) faults.policy = "Choose one.";
  if (values.upstream.servers.length === 0) faults["upstream.servers"] = "One at least.";
  values.upstream.servers.forEach(({ address, port, weight }, at) => {
    if (!address.trim()) faults[`upstream.servers.${at}.address`] = "An IPv4 or IPv6 address.";
    if (port === "") faults[`upstream.servers.${at}.port`] = "1 to 65535.";
    if (weight === "") faults[`upstream.servers.${at}.weight`] = "0 to 256.";
  });
  values.paths.forEach(({ prefix }, at) => {
    if (!prefix.trim()) faults[`paths.${at}.prefix`] = "It begins with /.";
  });
  const seen = new Set<string>();
  values.labels.forEach(({ key, value }, at) => {
    if (!key.trim() && value.trim()) faults[`labels.${at}.key`] = "A label has a key.";
    if (key.trim() && seen.has(key.trim())) faults[`labels.${at}.key`] = "It is there twice.";
    seen.add(key.trim());
  });
  for (const [path, number] of numbers(values)) if (number === "") faults[path] = "A number.";
  return faults;
}

function numbers({ body, rate_limit, upstream: { health_check, timeouts } }: VhostValues): [string, unknown][] {
  return [
    ["body.max_bytes", body.max_bytes],
    ...(rate_limit ? ([["rate_limit.requests", rate_limit.requests]] as [string, unknown][]) : []),
    ...Object.entries(timeouts).map(([name, value]): [string, unknown] => [`upstream.timeouts.${name}`, value]),
    ...(health_check ? (["interval_ms", "rise", "fall"] as const) : []).map((name): [string, unknown] => [
      `upstream.health_check.${name}`,
      health_check?.[name],
    ]),
  ];
}
