export const TABS = [
  { value: "routing", label: "Routing" },
  { value: "upstream", label: "Upstream" },
  { value: "access", label: "Access" },
  { value: "policy", label: "Policy by path" },
  { value: "limits", label: "Limits" },
  { value: "traffic", label: "Traffic" },
  { value: "proof", label: "Proof" },
  { value: "json", label: "JSON" },
] as const;

export type Tab = (typeof TABS)[number]["value"];
