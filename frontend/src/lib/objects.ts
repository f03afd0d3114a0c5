import type { Kind } from "@guard-proxy/client";

const COLLECTIONS: Record<Kind, string> = { vhost: "vhosts", policy: "policies", ip_list: "ip-lists" };
export const KINDS: readonly Kind[] = ["vhost", "policy", "ip_list"];
const WORDS: Record<Kind, string> = { vhost: "vhost", policy: "policy", ip_list: "IP list" };

/** `policies/shop`: as the API names an object. */
export function reference(kind: Kind, name: string): string {
  return `${COLLECTIONS[kind]}/${name}`;
}

export function kindWords(kind: Kind): string {
  return WORDS[kind] ?? kind;
}

/** Its page. */
export function objectPage(kind: Kind, name: string): string {
  return `/${reference(kind, name)}`;
}

/** Where it is edited: what is no vhost is edited on its page. */
export function formPage(kind: Kind, name: string): string {
  return kind === "vhost" ? `${objectPage(kind, name)}/edit` : objectPage(kind, name);
}

/** `policies/shop` of the pointer `/policies/shop/custom_rules/0/seclang`, where it points into an object. */
export function objectOf(pointer: string): string | undefined {
  const found = /^\/(vhosts|policies|ip-lists|ip_lists)\/([^/]+)/.exec(pointer);
  return found ? `${found[1]?.replace("_", "-")}/${found[2]}` : undefined;
}
