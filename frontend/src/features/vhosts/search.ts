import { text } from "@/lib/search";

const SORTS = ["name", "-name", "updated_at", "-updated_at"] as const;

export type VhostSearch = {
  q?: string | undefined;
  label?: string[] | undefined;
  policy?: string[] | undefined;
  enabled?: boolean | undefined;
  sort?: (typeof SORTS)[number] | undefined;
};

/** The page's filters, from its address. */
export function vhostSearch(raw: Record<string, unknown>): VhostSearch {
  return withoutNothing({
    q: text(raw, "q"),
    label: texts(raw, "label"),
    policy: texts(raw, "policy"),
    enabled: typeof raw.enabled === "boolean" ? raw.enabled : undefined,
    sort: SORTS.find((sort) => sort === raw.sort),
  });
}

/** Empty filters are not in the address. */
export function withoutNothing(search: VhostSearch): VhostSearch {
  const set = Object.entries(search).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0));
  return Object.fromEntries(set);
}

function texts(raw: Record<string, unknown>, name: string): string[] | undefined {
  const given = Array.isArray(raw[name]) ? raw[name] : [raw[name]];
  const found = given.filter((one) => typeof one === "string" && one !== "");
  return found.length > 0 ? (found as string[]) : undefined;
}
