import { useQuery } from "@tanstack/react-query";
import type { Users } from "@/features/used/use-users";
import { covers } from "@/lib/network";
import { callerQuery } from "./ip-list";

/** What a change of a list's entries would do to who makes it. The plan has the last word; this is said before it. */
export type LockOut = {
  address: string | undefined;
  /** `after`: the networks that come on the list. */
  byAdding: (after: string[]) => string | undefined;
  /** `after`: all that is on the list then. */
  byReplacing: (after: string[]) => string | undefined;
  /** `left`: whether something that stays on the list has the caller. */
  byRemoving: (gone: string[], left: boolean) => string | undefined;
};

export function useLockOut({ users }: Users): LockOut {
  const address = useQuery(callerQuery).data ?? undefined;
  const enabled = users.filter(({ vhost }) => vhost.enabled);
  const names = (how: string) => enabled.filter((use) => use.how.some((words) => words.startsWith(how))).map(({ vhost }) => vhost.name);
  const [denies, only] = [names("deny"), names("allow only")];
  const on = (networks: string[]) => (address ? networks.find((network) => covers(network, address)) : undefined);

  const byAdding = (after: string[]) => {
    const network = on(after);
    if (!network || denies.length === 0) return undefined;
    return `This is you: your address ${address} is in ${network}. You would get 403 on ${enumerated(denies)}.`;
  };
  const gone = () => `This is you: your address ${address} would be on this list no more. You may get 403 on ${enumerated(only)}.`;
  return {
    address,
    byAdding,
    byReplacing: (after) => byAdding(after) ?? (address && only.length > 0 && !on(after) ? gone() : undefined),
    byRemoving: (networks, left) => (on(networks) && !left && only.length > 0 ? gone() : undefined),
  };
}

function enumerated(names: string[]): string {
  const shown = names.slice(0, 5).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}
