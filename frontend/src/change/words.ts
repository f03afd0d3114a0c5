import type { Kind, Lane } from "@guard-proxy/client";

export function laneWords(lane: Lane): string {
  switch (lane) {
    case "runtime":
      return "map entries change in the running HAProxy; nothing restarts.";
    case "ruleset":
      return "guard-spoa loads a rule set beside the old one, vhosts flip to it.";
    case "reload":
      return "HAProxy reloads; no request is lost.";
    default:
      return "";
  }
}

export function objectPath(kind: Kind): string {
  return kind === "ip_list" ? "IP list" : kind;
}

export function bytes(n: number): string {
  if (n < 1_000_000) return `${Math.ceil(n / 1000)} kB`;
  return `${(n / 1_000_000).toFixed(1)} MB`;
}

/** Microseconds. */
export function duration(us: number): string {
  if (us < 1_000) return `${us} µs`;
  if (us < 1_000_000) return `${(us / 1_000).toFixed(us < 10_000 ? 1 : 0)} ms`;
  return `${(us / 1_000_000).toFixed(1)} s`;
}
