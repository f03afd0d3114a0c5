import type { Sample } from "./harness/sample.ts";

/**
 * Every page of the panel, by one line: it is looked at by axe, and pictured by `npm run screenshots`.
 * `sample.ts` makes what they show; that none is missing is tested in `src/router.test.ts`.
 */
export interface PanelPage {
  /** The picture's name. */
  name: string;
  /** By an id, where it is known when the sample is made. */
  path: string | ((made: Sample) => string);
  /** Its heading, which is there when the page is drawn. */
  title: string | RegExp;
  /** Shown to who is not signed in. */
  outside?: true;
}

export function pathOf({ path }: PanelPage, made: Sample): string {
  return typeof path === "string" ? path : path(made);
}

export const PAGES: PanelPage[] = [
  { name: "sign-in", path: "/sign-in", title: "Sign in", outside: true },
  { name: "setup", path: "/setup", title: "Choose a password", outside: true },
  { name: "overview", path: "/", title: "Overview" },
  { name: "vhosts", path: "/vhosts", title: "Vhosts" },
  { name: "vhost-new", path: "/vhosts/new", title: "New vhost" },
  { name: "vhost-routing", path: "/vhosts/store", title: "Store" },
  { name: "vhost-upstream", path: "/vhosts/store?tab=upstream", title: "Store" },
  { name: "vhost-access", path: "/vhosts/store?tab=access", title: "Store" },
  { name: "vhost-policy", path: "/vhosts/store?tab=policy", title: "Store" },
  { name: "vhost-limits", path: "/vhosts/store?tab=limits", title: "Store" },
  { name: "vhost-traffic", path: "/vhosts/store?tab=traffic", title: "Store" },
  { name: "vhost-proof", path: "/vhosts/store?tab=proof", title: "Store" },
  { name: "vhost-json", path: "/vhosts/store?tab=json", title: "Store" },
  { name: "vhost-edit", path: "/vhosts/store/edit", title: "Edit Store" },
  { name: "policies", path: "/policies", title: "Policies" },
  { name: "policy-new", path: "/policies/new", title: "New policy" },
  { name: "policy-settings", path: "/policies/store", title: "store" },
  { name: "policy-exclusions", path: "/policies/store?tab=exclusions", title: "store" },
  { name: "policy-rules", path: "/policies/shop?tab=rules", title: "shop" },
  { name: "policy-used", path: "/policies/store?tab=used", title: "store" },
  { name: "exclusion", path: "/policies/store/exclusions/review-text", title: "review-text" },
  { name: "exclusion-new", path: "/policies/store/new-exclusion?rule=942100&target=ARGS%3Aq&path=%2Fsearch%2F", title: "New exclusion" },
  { name: "rule", path: "/policies/shop/rules/190001", title: "Rule 190001" },
  { name: "rule-new", path: "/policies/store/new-rule", title: "New custom rule" },
  { name: "ip-lists", path: "/ip-lists", title: "IP lists" },
  { name: "ip-list-new", path: "/ip-lists/new", title: "New IP list" },
  { name: "ip-list-entries", path: "/ip-lists/partners", title: "partners" },
  { name: "ip-list-used", path: "/ip-lists/monitoring?tab=used", title: "monitoring" },
  { name: "ip-list-settings", path: "/ip-lists/partners?tab=settings", title: "partners" },
  { name: "ip-list-paste", path: "/ip-lists/partners/import", title: "Paste entries" },
  { name: "ip-list-replace", path: "/ip-lists/partners/import?replace=true", title: "Replace all entries" },
  { name: "changes", path: "/changes", title: "Changes" },
  { name: "changes-of-one", path: "/changes?object=vhosts/store", title: "History of vhosts/store" },
  { name: "change-sets", path: "/changes/mine", title: "My change sets" },
  { name: "change-set", path: ({ changeSet }) => `/changes/${changeSet}`, title: "The first site wants two people" },
  { name: "to-approve", path: "/changes/review", title: "To approve" },
  { name: "revision", path: "/changes/revisions/10", title: "Revision 10" },
  { name: "compare", path: "/changes/compare?from=9&to=11", title: "From revision 9 to 11" },
  { name: "rollback", path: "/changes/revisions/10/rollback", title: "Back to revision 10" },
  { name: "deployments", path: "/changes/deployments", title: "Deployments" },
  { name: "deployment", path: ({ deployment }) => `/changes/deployments/${deployment}`, title: /^Deployment of revision \d+$/ },
  { name: "audit", path: "/audit", title: "Audit" },
  { name: "audit-row", path: "/audit/3", title: "Audit row 3" },
  { name: "users", path: "/users", title: "Users" },
  { name: "user", path: ({ user }) => `/users/${user}`, title: "grace@example.com" },
  { name: "roles", path: "/users/roles", title: "What roles may do" },
  { name: "tokens", path: "/tokens", title: "Tokens" },
  { name: "me", path: "/me", title: "My account" },
  { name: "settings", path: "/settings", title: "Settings" },
  { name: "api", path: "/developers", title: "API" },
];
