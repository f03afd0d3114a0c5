import type { Action, Me, Role, RoleRow, Roles, Subject } from "@guard-proxy/client";

export type Permission = { allowed: boolean; disabledReason: string | undefined };

const YES: Permission = { allowed: true, disabledReason: undefined };

/** Words for what the server's table calls by short names. */
const DOES: Record<Action, string> = { read: "read", create: "create", update: "change", delete: "delete" };

/**
 * What the caller may do, by the server's own table. It says what is worth offering; the server decides, also by scope: whether one
 * vhost is in it is known there alone.
 */
export function permission(me: Me, roles: Roles, action: Action, subject: Subject): Permission {
  const row = roles.items.find((row) => row.kind === subject);
  const least = row?.[action];
  const what = `${DOES[action]} ${words(subject)}`;
  if (!row || !least) return no(`Nobody can ${what}.`);
  const enough = (binding: { role: Role }) => roles.roles.indexOf(binding.role) >= roles.roles.indexOf(least);
  if (me.roles.some((binding) => enough(binding) && (row.scoped || !limited(binding)))) return YES;
  if (me.roles.some(enough)) return no(`To ${what} wants the role ${least} for all sites; yours is limited to some.`);
  return no(`To ${what} wants the role ${least}${yours(me)}.`);
}

function no(disabledReason: string): Permission {
  return { allowed: false, disabledReason };
}

function yours(me: Me): string {
  const names = [...new Set(me.roles.map((binding) => binding.role))];
  return names.length ? `; you are ${names.join(" and ")}` : "";
}

function limited({ scope }: Me["roles"][number]): boolean {
  if (!scope) return false;
  return Boolean(scope.vhosts?.length || scope.hostnames?.length || Object.keys(scope.labels ?? {}).length);
}

const PLURALS: Partial<Record<RoleRow["kind"], string>> = {
  policy: "policies",
  entry: "entries",
  status: "the status",
  stream: "events",
  metrics: "metrics",
  audit: "the audit log",
  ip_list: "IP lists",
  user: "people",
  mode_override: "emergency modes",
};

function words(subject: Subject): string {
  return PLURALS[subject] ?? `${subject.replace("_", " ")}s`;
}
