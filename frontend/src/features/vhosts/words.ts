import type { AnsweredVhostPath, Period } from "@guard-proxy/client";

const UNITS: [string, number][] = [
  ["TiB", 2 ** 40],
  ["GiB", 2 ** 30],
  ["MiB", 2 ** 20],
  ["KiB", 2 ** 10],
];

export function sizeWords(bytes: number): string {
  const [unit, size] = UNITS.find(([, size]) => bytes >= size) ?? ["bytes", 1];
  const value = bytes / size;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${unit}`;
}

export function timeWords(ms: number): string {
  if (ms < 1_000) return `${ms} ms`;
  if (ms < 60_000) return `${ms / 1_000} s`;
  return `${+(ms / 60_000).toFixed(1)} min`;
}

export const PERIODS: { value: Period; label: string }[] = [
  { value: "1s", label: "a second" },
  { value: "10s", label: "ten seconds" },
  { value: "1m", label: "a minute" },
  { value: "10m", label: "ten minutes" },
];

export function periodWords(period: Period): string {
  return PERIODS.find(({ value }) => value === period)?.label ?? period;
}

export const BALANCES = [
  { value: "roundrobin", label: "In turn, by weight" },
  { value: "leastconn", label: "The one with the fewest connections" },
  { value: "source", label: "By the client's address" },
  { value: "random", label: "At random, by weight" },
] as const;

export const ON_PARTIAL = [
  { value: "deny", label: "Refuse it (413)" },
  { value: "inspect_head", label: "Inspect the beginning, let the rest pass" },
] as const;

export const ON_UNAVAILABLE = [
  { value: "deny", label: "Refuse requests (503)" },
  { value: "pass", label: "Let requests pass uninspected" },
] as const;

export const ON_AMBIGUOUS = [
  { value: "strict", label: "Treat it by the strictest of all parts" },
  { value: "deny", label: "Refuse it (400)" },
] as const;

export const PROTECTED = "A change of it, or of a policy or IP list that it uses, waits until a second person approves it.";
export const DISABLED = "It answers 421 and keeps its hostnames: nobody else can take them.";

export function labelWords(value: string, of: readonly { value: string; label: string }[]): string {
  return of.find((one) => one.value === value)?.label ?? value;
}

/** What a path says otherwise than the vhost; what it leaves out is not in the answer, or null. */
export function pathWords({
  body,
  websocket,
}: Pick<AnsweredVhostPath, "websocket"> & { body?: Partial<AnsweredVhostPath["body"]> }): string {
  const said = [];
  if (typeof body?.max_bytes === "number") said.push(`bodies up to ${sizeWords(body.max_bytes)}`);
  if (body?.on_partial) said.push(`a body too large to inspect: ${labelWords(body.on_partial, ON_PARTIAL).toLowerCase()}`);
  if (typeof websocket === "boolean") said.push(websocket ? "WebSocket" : "no WebSocket");
  return said.join("; ");
}
