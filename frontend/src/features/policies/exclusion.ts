import type { Exclusion, ExclusionRepresentation, RuleSelector } from "@guard-proxy/client";
import { fromLocal, toLocal } from "@/lib/local-time";

export const TARGETS = [
  "ARGS",
  "ARGS_GET",
  "ARGS_POST",
  "ARGS_NAMES",
  "ARGS_GET_NAMES",
  "ARGS_POST_NAMES",
  "REQUEST_COOKIES",
  "REQUEST_COOKIES_NAMES",
  "REQUEST_HEADERS",
  "REQUEST_HEADERS_NAMES",
  "REQUEST_BODY",
  "REQUEST_URI",
  "REQUEST_URI_RAW",
  "REQUEST_FILENAME",
  "REQUEST_BASENAME",
  "REQUEST_LINE",
  "QUERY_STRING",
  "FILES",
  "FILES_NAMES",
  "XML",
];
/** Tags that most exclusions by tag are about; any other is taken, too. */
export const TAGS = [
  "attack-sqli",
  "attack-xss",
  "attack-rce",
  "attack-lfi",
  "attack-rfi",
  "attack-injection-php",
  "attack-injection-generic",
  "attack-protocol",
  "attack-fixation",
  "attack-reputation-scanner",
  "paranoia-level/2",
  "paranoia-level/3",
  "paranoia-level/4",
];

/** As the form has it: one of three ways to name rules, and texts that may be empty. */
export type ExclusionValues = {
  id: string;
  enabled: boolean;
  by: "id" | "range" | "tag";
  rule: number | "";
  from: number | "";
  to: number | "";
  tag: string;
  target: string;
  prefix: string;
  reason: string;
  owner: string;
  /** As `datetime-local` has it: this browser's time. */
  expires: string;
};

export const FRESH: ExclusionValues = {
  id: "",
  enabled: true,
  by: "id",
  rule: "",
  from: "",
  to: "",
  tag: "",
  target: "",
  prefix: "",
  reason: "",
  owner: "",
  expires: "",
};

export function valuesOf(exclusion: ExclusionRepresentation): ExclusionValues {
  const { id, enabled, rule, target, path, reason, owner, expires_at } = exclusion;
  return {
    id,
    enabled,
    by: rule.range ? "range" : rule.tag ? "tag" : "id",
    rule: rule.id ?? "",
    from: rule.range?.from ?? "",
    to: rule.range?.to ?? "",
    tag: rule.tag ?? "",
    target: target ?? "",
    prefix: path?.prefix ?? "",
    reason,
    owner,
    expires: toLocal(expires_at),
  };
}

export function exclusionOf(values: ExclusionValues): Exclusion {
  const { enabled, target, prefix, reason, owner, expires } = values;
  return {
    enabled,
    rule: selectorOf(values),
    target: target.trim() || null,
    path: prefix.trim() ? { prefix: prefix.trim() } : null,
    reason,
    owner,
    expires_at: fromLocal(expires),
  };
}

function selectorOf({ by, rule, from, to, tag }: ExclusionValues): RuleSelector {
  if (by === "tag") return { tag: tag.trim() };
  if (by === "range") return { range: { from: Number(from), to: Number(to) } };
  return { id: Number(rule) };
}

/** Where the server's pointers are in the form. */
export function fieldOf(pointer: string, by: ExclusionValues["by"]): keyof ExclusionValues | undefined {
  const [, member, , last] = pointer.split("/");
  if (pointer.startsWith("/operations/0/")) return "id";
  if (member === "rule") return by === "range" ? (last === "to" ? "to" : "from") : by === "tag" ? "tag" : "rule";
  if (member === "path") return "prefix";
  if (member === "expires_at") return "expires";
  return (["id", "enabled", "target", "reason", "owner"] as const).find((field) => field === member);
}

/** A name for it that says what it is about, and that is free. */
export function suggestedId(values: ExclusionValues, taken: ReadonlySet<string>): string {
  const { by, rule, from, to, tag, target } = values;
  const what = by === "tag" ? tag : by === "range" ? `rules-${from}-${to}` : `rule-${rule}`;
  const base = [what, target]
    .join("-")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 58)
    .replace(/-+$/, "");
  for (let n = 1; ; n += 1) {
    const id = n === 1 ? base || "exclusion" : `${base || "exclusion"}-${n}`;
    if (!taken.has(id)) return id;
  }
}

export function ruleWords(rule: RuleSelector): string {
  if (rule.range) return `rules ${rule.range.from} to ${rule.range.to}`;
  if (rule.tag) return `rules tagged ${rule.tag}`;
  return `rule ${rule.id}`;
}

/** What it does, in a sentence. */
export function effectWords({ rule, target, path }: Pick<Exclusion, "rule" | "target" | "path">): string {
  const where = path ? ` under ${path.prefix}` : " everywhere";
  if (target)
    return `${capital(ruleWords(rule))} no longer look at ${target}${where}.`.replace(
      /^Rule (\d+) no longer look /,
      "Rule $1 no longer looks ",
    );
  return `${capital(ruleWords(rule))} ${rule.id ? "is" : "are"} out${where}.`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function isExpired(expiresAt: string | null | undefined, now = Date.now()): boolean {
  return Boolean(expiresAt) && Date.parse(expiresAt as string) <= now;
}
