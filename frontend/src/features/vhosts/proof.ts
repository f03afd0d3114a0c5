/** The words of a proof, taken apart: what HAProxy worked with, and what each probe saw. What is not understood is shown as it is. */

export type Row = {
  mode: string;
  levels: string;
  thresholds: string;
  ruleSet: string;
  access: string;
  most: string;
  rate: string;
  revision: string;
};
export type Seen = {
  /** `canary`, `trust`, `attack`, `canary of /api/`. */
  what: string;
  client: string;
  status: string;
  /** It went on to the origin's side. */
  passed: boolean;
  /** The row that the request met. */
  row: string;
  asked: boolean;
  access: string;
  score: string;
  rules: string[];
  fault: string;
};
export type Line = { kind: "seen"; seen: Seen } | { kind: "wrong"; expected: string; saw: string } | { kind: "words"; words: string };

const MODES: Record<string, string> = { B: "block", D: "detect", O: "off" };

/** `Bx|1.2.5.4.B|rs-1|t1|104857600|-|-|6`. */
export function readRow(row: string): Row | undefined {
  const [first = "", parameters = "", ruleSet, access, most, , rate, revision] = row.split("|");
  const mode = MODES[first[0] ?? ""];
  const [blocking, detection, inbound, outbound] = parameters.split(".");
  if (!mode || !outbound || !ruleSet || !access || !most || !rate || !revision) return undefined;
  const [requests, seconds] = rate.split(".");
  return {
    mode,
    levels: `${blocking} blocks, ${detection} reports`,
    thresholds: `${inbound} inbound, ${outbound} outbound`,
    ruleSet,
    access: access === "-" ? "no lists" : access,
    most,
    rate: seconds ? `${requests} in ${seconds} s` : "none",
    revision,
  };
}

const PROBE = /^(.+) from (\S+): (\d+)( passed)? (.*)$/;
const PROXY = /^(client told) by (\S+): (\d+)() (.*)$/;
const WRONG = /^expected: (.*); seen: (.*)$/;

export function readLine(line: string): Line {
  const wrong = WRONG.exec(line);
  if (wrong) return { kind: "wrong", expected: wrong[1] ?? "", saw: wrong[2] ?? "" };
  const probe = PROBE.exec(line) ?? PROXY.exec(line);
  if (!probe) return { kind: "words", words: line };
  const [, what = "", client = "", status = "", passed, raw = ""] = probe;
  const [, row = "", ...parts] = raw.split(" ");
  const state = new Map(parts.map((part) => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]));
  const value = (name: string) => state.get(name) ?? "";
  return {
    kind: "seen",
    seen: {
      what,
      client,
      status,
      passed: Boolean(passed),
      row,
      asked: value("waf") === "1",
      access: value("acc"),
      score: value("score"),
      rules: value("rules").split(",").filter(Boolean),
      fault: [value("error"), value("fault")].filter(Boolean).join(" "),
    },
  };
}

/** What a probe is for. */
export function aim(what: string): string {
  switch (what) {
    case "canary":
      return "A request that our marker rule matches: it shows mode and rule set";
    case "deny":
      return "A client of a denied list";
    case "trust":
      return "A client of a trusted list";
    case "allow":
      return "A client that the lists let in";
    case "attack":
      return "An attack that the Core Rule Set knows: the wire has to agree with the agent";
    case "disabled":
      return "A disabled vhost answers 421";
    case "client told":
      return "A trusted proxy tells its client's address";
    default:
      return what.startsWith("canary of ") ? `The marker rule at ${what.slice("canary of ".length)}` : "";
  }
}
