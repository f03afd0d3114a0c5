import type { AuditRecord } from "@guard-proxy/client";

/** What is known to be logged; the filters take anything else, too. */
export const ACTIONS = [
  "create",
  "update",
  "delete",
  "change_set.committed",
  "change_set.submitted",
  "change_set.approved",
  "change_set.rejected",
  "change_set.lapsed",
  "rollback",
  "take_back",
  "deployment.live",
  "deployment.refused",
  "mode_override.set",
  "mode_override.ended",
  "denied",
  "read",
  "signed_in",
  "signed_out",
  "sign_in_failed",
  "sign_in_limited",
  "sign_in_code_wanted",
  "session_ended",
  "sessions_ended",
  "session_reused",
  "user_created",
  "user_changed",
  "user_deleted",
  "setup_link",
  "set_up",
  "password_changed",
  "totp_confirmed",
  "totp_disabled",
  "confirmation_failed",
  "confirmation_limited",
  "sso_linked",
  "sso_roles_changed",
  "sso_failed",
  "reseal",
  "resealed",
];
export const AUDIT_KINDS = [
  "policy",
  "vhost",
  "ip_list",
  "change_set",
  "revision",
  "deployment",
  "user",
  "token",
  "sealing_key",
  "request",
  "rendered_files",
];

const BAD = /^denied$|^take_back$|^session_reused$|_failed$|_limited$|\.refused$/;

/** Somebody was refused, or something went wrong: `session_reused` is a cookie that was stolen. */
export function isBad(action: string): boolean {
  return BAD.test(action);
}

/** Of a row that sums up a flood: how many there were beside the first, and within which time. */
export function flood({ after }: Pick<AuditRecord, "after">): { more: number; from: string; to: string } | undefined {
  const { more, from, to } = (after ?? {}) as Record<string, unknown>;
  if (typeof more !== "number") return undefined;
  return { more, from: typeof from === "string" ? from : "", to: typeof to === "string" ? to : "" };
}

/** From more sources than are counted one by one. */
export function isOthers({ author }: Pick<AuditRecord, "author">): boolean {
  return author === "others";
}

const PAGES: Record<string, string> = { policy: "/policies", vhost: "/vhosts", ip_list: "/ip-lists" };

/** Where what a row is about can be seen, if anywhere. */
export function pageOf({ kind, name, object_id, revision }: AuditRecord): string | undefined {
  if (kind === "deployment") return `/changes/deployments/${name}`;
  if (kind === "change_set") return `/changes/${object_id ?? name}`;
  if (kind === "revision") return `/changes/revisions/${revision ?? name}`;
  if (kind === "user") return object_id ? `/users/${object_id}` : undefined;
  const page = PAGES[kind];
  return page && name ? `${page}/${name}` : undefined;
}
