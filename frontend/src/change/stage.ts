import { type ChangeSet, client, discardChangeSet, listChangeSets, type OperationBody } from "@guard-proxy/client";
import { queryOptions } from "@tanstack/react-query";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";

/** One's own that can take more. */
export const openChangeSets = queryOptions({
  queryKey: keys.list("change-sets", { state: ["open"] }),
  queryFn: ({ signal }) => call(listChangeSets({ query: { state: ["open"], limit: 50 }, signal })),
});

/** The same writes, staged in another change set; the one that they were planned in is not needed then. */
export async function moveInto(target: string, from: ChangeSet, operations: OperationBody[]) {
  for (const { method, path, value, if_match, if_none_match } of operations) {
    const headers: Record<string, string> = {};
    if (if_none_match) headers["If-None-Match"] = if_none_match;
    // What is staged there may have changed it already: an ETag of before says nothing about that.
    else if (if_match || method === "PATCH" || method === "DELETE") headers["If-Match"] = "*";
    await call(
      client.request({
        method,
        url: `/api/v1${path}`,
        query: { change_set: target },
        body: value ?? undefined,
        headers,
        security: [{ scheme: "bearer", type: "http" }],
      }),
    );
  }
  await call(discardChangeSet({ path: { change_set: from.id } }));
}
