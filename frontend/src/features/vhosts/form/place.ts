import type { FieldError } from "@guard-proxy/client";
import { parts } from "@/lib/pointer";
import type { VhostValues } from "./values";

/** Fields that show a whole list: an error of one of its values is told with that value. */
const LISTS = new Set(["hostnames", "client_ip.trusted_proxies", "access.deny", "access.allow_only", "access.trust"]);
const GROUPS = ["body", "access", "client_ip", "rate_limit", "upstream.timeouts", "upstream.health_check"];

/** The form's field that a pointer into the resource is about; undefined: none. */
export function fieldOf(values: VhostValues, pointer: string): string | undefined {
  const [first, second, third, fourth] = parts(pointer);
  if (first === undefined) return undefined;
  if (first === "labels") {
    const at = values.labels.findIndex(({ key }) => key.trim() === second);
    return at < 0 ? undefined : `labels.${at}.value`;
  }
  if (first === "paths") {
    if (second === undefined || !values.paths[Number(second)]) return undefined;
    const field = third === "body" ? (fourth ?? "max_bytes") : (third ?? "prefix");
    return `paths.${second}.${field}`;
  }
  if (first === "upstream" && second === "servers") {
    if (third === undefined || !values.upstream.servers[Number(third)]) return "upstream.servers";
    return `upstream.servers.${third}.${fourth ?? "address"}`;
  }
  const list = [first, `${first}.${second}`].find((one) => LISTS.has(one));
  if (list) return list;
  const path = [first, second, third].filter((part) => part !== undefined).join(".");
  // A fault of several together has no field of its own.
  return GROUPS.includes(path) || !(first in values) ? undefined : path;
}

/** The same errors, in words that say which value of a list is meant. */
export function withValue(values: VhostValues, errors: FieldError[]): FieldError[] {
  return errors.map((error) => {
    const path = parts(error.pointer);
    const at = path.at(-1);
    if (!LISTS.has(path.slice(0, -1).join(".")) || at === undefined) return error;
    let list: unknown = values;
    for (const part of path) list = (list as Record<string, unknown>)?.[part];
    return typeof list === "string" && !error.detail.includes(list) ? { ...error, detail: `${list}: ${error.detail}` } : error;
  });
}
