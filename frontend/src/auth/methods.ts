import { getSignInMethods } from "@guard-proxy/client";
import { queryOptions } from "@tanstack/react-query";
import { call } from "@/lib/api";

/** How one can sign in here: known to who is not signed in, too. */
export const methodsQuery = queryOptions({
  queryKey: ["sign-in-methods"],
  queryFn: ({ signal }) => call(getSignInMethods({ signal })),
  retry: false,
  networkMode: "always",
  staleTime: Number.POSITIVE_INFINITY,
});
