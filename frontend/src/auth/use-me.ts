import { type Action, getMe, listRoles, type Me, type Subject } from "@guard-proxy/client";
import { queryOptions, useQuery } from "@tanstack/react-query";
import { useContext } from "react";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";
import { Limits } from "./limits";
import { type Permission, permission } from "./permissions";

export const meQuery = queryOptions({
  queryKey: keys.all("me"),
  queryFn: ({ signal }) => call(getMe({ signal })),
  staleTime: 60_000,
});

export const rolesQuery = queryOptions({
  queryKey: keys.all("roles"),
  queryFn: ({ signal }) => call(listRoles({ signal })),
  staleTime: Number.POSITIVE_INFINITY,
});

const NOT_YET: Permission = { allowed: false, disabledReason: "What you may do is being read." };

/** Who is signed in, and what they may do on this page. A button that may not be used is disabled, with `disabledReason` as its tooltip. */
export function useMe(): { me: Me | undefined; can: (action: Action, subject: Subject) => Permission } {
  const me = useQuery(meQuery).data;
  const roles = useQuery(rolesQuery).data;
  const limited = useContext(Limits);
  return { me, can: (action, subject) => limited(me && roles ? permission(me, roles, action, subject) : NOT_YET, action, subject) };
}
