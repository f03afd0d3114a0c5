import {
  IconApi,
  IconBuildingCastle,
  IconGauge,
  IconGitPullRequest,
  IconHistory,
  IconKey,
  IconListCheck,
  IconSettings,
  IconUsers,
  IconWorld,
} from "@tabler/icons-react";

/** Where one can go, in the order of the navigation. `key` comes after `g`. */
export const places = [
  { to: "/", label: "Overview", icon: IconGauge, key: "o" },
  { to: "/vhosts", label: "Vhosts", icon: IconWorld, key: "v" },
  { to: "/policies", label: "Policies", icon: IconBuildingCastle, key: "p" },
  { to: "/ip-lists", label: "IP lists", icon: IconListCheck, key: "i" },
  { to: "/changes", label: "Changes", icon: IconGitPullRequest, key: "c" },
  { to: "/audit", label: "Audit", icon: IconHistory, key: "a" },
  { to: "/users", label: "Users", icon: IconUsers, key: "u" },
  { to: "/tokens", label: "Tokens", icon: IconKey, key: "t" },
  { to: "/settings", label: "Settings", icon: IconSettings, key: "s" },
] as const;

/** About the API; the API's own pages are the server's. */
export const apiPlace = { to: "/developers", label: "API", icon: IconApi } as const;
