import { getIpList, type IpListRepresentation, listSessions } from "@guard-proxy/client";
import { queryOptions } from "@tanstack/react-query";
import { call } from "@/lib/api";
import { keys } from "@/lib/keys";

export const ipListQuery = (ip_list: string) =>
  queryOptions({
    queryKey: keys.one("ip-lists", ip_list),
    queryFn: ({ signal }): Promise<IpListRepresentation> => call(getIpList({ path: { ip_list }, signal })),
  });

/** From where the panel is used, as the server sees it: that of the session. */
export const callerQuery = queryOptions({
  queryKey: [...keys.all("sessions"), "address"],
  queryFn: async ({ signal }): Promise<string | null> => {
    const { items } = await call(listSessions({ signal }));
    return items.find(({ current }) => current)?.address ?? null;
  },
  staleTime: 60_000,
});

export type ListValues = { name: string; title: string; description: string };

/** Why its entries cannot be written; undefined: they can. */
export function readOnly(list: IpListRepresentation): string | undefined {
  return (list.source as string) === "manual" ? undefined : "Its entries come from a feed: they are read-only here.";
}
