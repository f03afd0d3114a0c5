import { getUser, type Source, type User } from "@guard-proxy/client";
import { queryOptions } from "@tanstack/react-query";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";

export const userQuery = (id: string) =>
  queryOptions({ queryKey: keys.one("users", id), queryFn: ({ signal }) => call(getUser({ path: { user: id }, signal })) });

export const SOURCES: Record<Source, string> = { local: "password", sso: "single sign-on" };

export function sourceOf({ source = "local" }: Pick<User, "source">): Source {
  return source;
}

/** Who comes by single sign-on has no password here, no authenticator, and the roles of their groups. */
export function isLocal(user: Pick<User, "source">): boolean {
  return sourceOf(user) === "local";
}
