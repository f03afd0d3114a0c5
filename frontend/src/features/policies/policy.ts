import {
  type CustomRuleRepresentation,
  type ExclusionRepresentation,
  getPolicy,
  listCustomRules,
  listExclusions,
  type Policy,
  type PolicyRepresentation,
} from "@guard-proxy/client";
import { queryOptions } from "@tanstack/react-query";
import { call } from "@/lib/api";
import { same } from "@/lib/conflict";
import { keys } from "@/lib/keys";

export const policyQuery = (policy: string) =>
  queryOptions({
    queryKey: keys.one("policies", policy),
    queryFn: ({ signal }): Promise<PolicyRepresentation> => call(getPolicy({ path: { policy }, signal })),
  });

export const exclusionsQuery = (policy: string) =>
  queryOptions({
    queryKey: keys.one("policies", policy, "exclusions"),
    queryFn: async ({ signal }): Promise<ExclusionRepresentation[]> => (await call(listExclusions({ path: { policy }, signal }))).items,
  });

export const rulesQuery = (policy: string) =>
  queryOptions({
    queryKey: keys.one("policies", policy, "custom-rules"),
    queryFn: async ({ signal }): Promise<CustomRuleRepresentation[]> => (await call(listCustomRules({ path: { policy }, signal }))).items,
  });

/** What the form has: a policy without what has pages of its own. */
export type PolicyValues = Required<
  Pick<Policy, "title" | "description" | "mode" | "paranoia" | "thresholds" | "allowed_methods" | "allowed_content_types">
> & { name: string };

export const METHODS = ["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"];
export const CONTENT_TYPES = [
  "application/x-www-form-urlencoded",
  "multipart/form-data",
  "text/xml",
  "application/xml",
  "application/soap+xml",
  "application/json",
  "application/octet-stream",
  "text/plain",
];

/** As the server would fill it in. */
export const FRESH: PolicyValues = {
  name: "",
  title: "",
  description: "",
  mode: "detect",
  paranoia: { blocking: 1, detection: 1 },
  thresholds: { inbound: 5, outbound: 4 },
  allowed_methods: METHODS,
  allowed_content_types: CONTENT_TYPES,
};

export function valuesOf(policy: PolicyRepresentation): PolicyValues {
  const { name, title, description, mode, paranoia, thresholds, allowed_methods, allowed_content_types } = policy;
  return { name, title, description, mode, paranoia, thresholds, allowed_methods, allowed_content_types };
}

/** What differs, as a merge patch; both numbers of a pair, since one decides about the other. */
export function patchOf(base: PolicyValues, values: PolicyValues): Partial<PolicyValues> {
  const changed = (Object.keys(values) as (keyof PolicyValues)[]).filter((field) => !same(base[field], values[field]));
  return Object.fromEntries(changed.map((field) => [field, values[field]]));
}
