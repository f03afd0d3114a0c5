import type { CustomRule, CustomRuleRepresentation, FieldError, Plan } from "@guard-proxy/client";
import type { Mark } from "@/components/code/marks";

export type RuleValues = { id: number | ""; enabled: boolean; placement: "before" | "after"; seclang: string };

/** One that does what it says, to be changed. */
const BEGINNING = `SecRule ARGS:debug "@streq 1" \\
    "phase:2,deny,status:403,msg:'debug switch'"`;

export const FRESH: RuleValues = { id: "", enabled: true, placement: "before", seclang: BEGINNING };

export function valuesOf({ id, enabled, placement, seclang }: CustomRuleRepresentation): RuleValues {
  return { id, enabled, placement, seclang };
}

export function ruleOf({ enabled, placement, seclang }: RuleValues): CustomRule {
  return { enabled, placement, seclang };
}

const FIRST = 190_001;
const LAST = 199_999;

export function freeId(rules: { id: number }[]): number {
  const taken = new Set(rules.map(({ id }) => id));
  for (let id = FIRST; id <= LAST; id += 1) if (!taken.has(id)) return id;
  return LAST;
}

/** Errors about the rule's text as marks in it, and the others. Pointers are the rule's. */
export function marked(errors: FieldError[]): { marks: Mark[]; others: FieldError[] } {
  const ofText = (one: FieldError) => one.pointer === "/seclang" || (one.pointer === "" && Boolean(one.line));
  return {
    marks: errors.filter(ofText).map(({ line, column, detail }) => ({ line, column, severity: "error", message: detail })),
    others: errors.filter((one) => !ofText(one)),
  };
}

/** What the validation noticed and lets pass. */
export function findingMarks({ findings }: Plan, root: string): Mark[] {
  return findings.filter(({ pointer }) => pointer.startsWith(root)).map(({ severity, message }) => ({ severity, message }));
}

export function engineWords({ engines }: Plan): string {
  const coraza = engines.find(({ engine }) => engine === "coraza");
  if (coraza?.answer === "accepted") return "Coraza has compiled it, and takes it.";
  if (coraza?.answer === "not_asked")
    return "The rule is well formed. Coraza was not asked: no vhost that inspects uses the policy, or nothing changes.";
  return "The rule is well formed. Coraza could not be asked now.";
}

export function moved(ids: number[], id: number, by: -1 | 1): number[] {
  const from = ids.indexOf(id);
  const to = from + by;
  if (from < 0 || to < 0 || to >= ids.length) return ids;
  const next = ids.filter((one) => one !== id);
  next.splice(to, 0, id);
  return next;
}
