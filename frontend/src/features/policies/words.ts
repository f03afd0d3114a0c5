import type { Mode } from "@guard-proxy/client";

export const MODES: { value: Mode; label: string; about: string }[] = [
  { value: "block", label: "Block", about: "A request whose score reaches the threshold gets 403. It never reaches your servers." },
  {
    value: "detect",
    label: "Detect",
    about: "Rules run and report; nothing is denied. To get to know a site, and to find its false alarms before it blocks.",
  },
  { value: "off", label: "Off", about: "Requests pass without being looked at. IP lists and rate limits still hold." },
];

/** What a paranoia level brings over the one below, and what it costs. */
export const LEVELS: { level: number; gets: string; costs: string }[] = [
  {
    level: 1,
    gets: "What is an attack almost for sure. For every site.",
    costs: "Hardly a false alarm.",
  },
  {
    level: 2,
    gets: "More kinds of SQL, script and command injection, and evasions. For sites with data of people or with money.",
    costs: "Some false alarms where people write free text: plan for a few exclusions.",
  },
  {
    level: 3,
    gets: "Unusual characters and rarer attacks. For sites that are attacked on purpose.",
    costs: "False alarms are usual: let it report for some weeks before it counts.",
  },
  {
    level: 4,
    gets: "Nearly all special characters are suspect.",
    costs: "Most forms need exclusions. Only with time to tune, field by field.",
  },
];

export function levelWords(level: number, blocking: number, detection: number, mode: Mode): string {
  if (mode === "off") return "not run";
  if (level <= blocking) return mode === "block" ? "counts: can deny" : "counts, and is reported";
  if (level <= detection) return "reports only";
  return "not run";
}

/** What rules add to a score, by their severity: the Core Rule Set's own numbers. */
export const SEVERITIES = "critical 5, error 4, warning 3, notice 2";

export function thresholdWords(threshold: number): string {
  if (threshold < 5) return "Stricter than usual: even rules that only hint can deny.";
  if (threshold === 5) return "One critical rule is enough: what the Core Rule Set means to be used.";
  const rules = Math.ceil(threshold / 5);
  return `${rules} critical rules have to match in one request: where fewer do, an attack passes.`;
}
