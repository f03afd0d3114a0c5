import type { Action, Permit, Role, RoleBinding, Scope, Subject } from "@guard-proxy/client";

/** As the form has it: lists of texts, and whether it is limited at all, so that an empty limit is not taken for everywhere. */
export type ScopeForm = { limited: boolean; vhosts: string[]; labels: string[]; hostnames: string[] };
export type BindingForm = { key: string; role: Role; scope: ScopeForm };
export type PermitForm = { key: string; actions: Action[]; kinds: Subject[]; scope: ScopeForm };

let made = 0;
function key(): string {
  made += 1;
  return `b${made}`;
}

export const EVERYWHERE: ScopeForm = { limited: false, vhosts: [], labels: [], hostnames: [] };

export function newBinding(role: Role = "viewer"): BindingForm {
  return { key: key(), role, scope: EVERYWHERE };
}

export function newPermit(): PermitForm {
  return { key: key(), actions: ["read"], kinds: [], scope: EVERYWHERE };
}

function toScopeForm(scope: Scope | undefined): ScopeForm {
  const vhosts = scope?.vhosts ?? [];
  const labels = Object.entries(scope?.labels ?? {}).map(([name, value]) => `${name}=${value}`);
  const hostnames = scope?.hostnames ?? [];
  return { limited: vhosts.length + labels.length + hostnames.length > 0, vhosts, labels, hostnames };
}

function fromScopeForm({ limited, vhosts, labels, hostnames }: ScopeForm): Scope | undefined {
  if (!limited) return undefined;
  const pairs = labels.map((label) => {
    const at = label.indexOf("=");
    return at < 0 ? [label, ""] : [label.slice(0, at), label.slice(at + 1)];
  });
  return { vhosts, labels: Object.fromEntries(pairs) as Record<string, string>, hostnames };
}

export function toBindings(roles: RoleBinding[]): BindingForm[] {
  return roles.map(({ role, scope }) => ({ key: key(), role, scope: toScopeForm(scope) }));
}

export function fromBindings(forms: BindingForm[]): RoleBinding[] {
  return forms.map(({ role, scope }) => {
    const limits = fromScopeForm(scope);
    return limits ? { role, scope: limits } : { role };
  });
}

export function fromPermits(forms: PermitForm[]): Permit[] {
  return forms.map(({ actions, kinds, scope }) => {
    const limits = fromScopeForm(scope);
    return limits ? { actions, kinds, scope: limits } : { actions, kinds };
  });
}

/** The server takes a scope without any limit for everywhere: a form that says `limited` must not send that. */
export function scopeFault({ limited, vhosts, labels, hostnames }: ScopeForm): string | null {
  if (!limited) return null;
  if (vhosts.length + labels.length + hostnames.length === 0) return "Name a vhost, a label or a hostname; or let it hold everywhere.";
  if (labels.some((label) => !/^[^=]+=.+$/.test(label))) return "A label with its value: team=web.";
  return null;
}

export function scopeWords(scope: Scope | undefined): string {
  const { limited, vhosts, labels, hostnames } = toScopeForm(scope);
  if (!limited) return "everywhere";
  const said = [
    vhosts.length > 0 && `vhosts ${vhosts.join(", ")}`,
    labels.length > 0 && `label ${labels.join(", ")}`,
    hostnames.length > 0 && `hostnames ${hostnames.join(", ")}`,
  ].filter(Boolean);
  return said.join("; or ");
}

export function bindingWords({ role, scope }: RoleBinding): string {
  return `${role} ${scopeWords(scope)}`;
}

export function permitWords({ actions, kinds, scope }: Permit): string {
  return `${actions.join(", ")}: ${kinds.map((kind) => kind.replaceAll("_", " ")).join(", ")} ${scopeWords(scope)}`;
}

/** The errors under a pointer, as one text. */
export function errorsAt(errors: { pointer: string; detail: string }[], pointer: string): string | undefined {
  const found = errors.filter((one) => one.pointer === pointer || one.pointer.startsWith(`${pointer}/`));
  return found.map((one) => one.detail).join(" ") || undefined;
}
