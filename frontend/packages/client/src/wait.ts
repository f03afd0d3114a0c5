import { call, type DataOf, type Operation, paginate, type Taken, unwrap } from "./answer.js";
import type { Client } from "./generated/client/index.js";
import { type ChangeSet, getStatus, listRevisions } from "./generated/index.js";
import { isProblem, type Problem } from "./problem.js";
import { sleep } from "./stream.js";

/** What became of a revision. `timeout`: nothing is decided yet, and nothing is cancelled. */
export type Verdict =
  | { outcome: "live"; revision: number; liveRevision: number }
  | { outcome: "refused"; revision?: number | null; deployment?: string | null; problem?: Problem }
  | { outcome: "timeout"; revision: number };
type Made<D> = [Exclude<D, ChangeSet>] extends [never] ? D : Exclude<D, ChangeSet>;
/** `waiting`: nothing was committed, a protected vhost wants somebody else's yes first. */
export type Waited<O extends Operation> = (Verdict | { outcome: "waiting"; changeSet: ChangeSet }) & { data?: Made<DataOf<O>> };
export type WaitOptions = { timeout?: number; signal?: AbortSignal }; // in seconds, 30 where absent

/** Writes, and follows that until it is live and proven, refused, or the time is over. Other problems are thrown. */
export async function waitLive<O extends Operation>(write: O, options: Taken<O>, wait: WaitOptions = {}): Promise<Waited<O>> {
  const { timeout = 30, signal } = wait;
  // The server waits for two minutes at most; from there on we ask.
  const [deadline, wait_timeout_s] = [Date.now() + timeout * 1000, Math.min(Math.max(Math.ceil(timeout), 1), 120)];
  const answer = call(write, { signal, ...(options as object) } as Taken<O>, { wait: "live", wait_timeout_s });
  const { error, response } = await answer;
  if (isProblem(error, "refused")) return { outcome: "refused", revision: error.revision, deployment: error.deployment, problem: error };
  const data = (await unwrap(answer)) as Made<DataOf<O>>;
  const [revision, liveRevision] = ["Guard-Proxy-Revision", "Guard-Proxy-Live-Revision"].map((name) => Number(response?.headers.get(name)));
  if (!revision && (data as ChangeSet)?.approval) return { outcome: "waiting", changeSet: data as ChangeSet };
  if (!revision) throw new Error("this made no revision: it was staged");
  if (liveRevision) return { outcome: "live", revision, liveRevision, data };
  const left = { timeout: (deadline - Date.now()) / 1000, signal };
  return { ...(await followRevision({ ...(options as { client?: Client }), revision, ...left })), data };
}

/** Follows a revision that is committed. One that was taken back is refused, though later ones are live. */
export async function followRevision(options: WaitOptions & { client?: Client; revision: number }): Promise<Verdict> {
  const { client, revision, timeout = 30, signal } = options;
  for (const deadline = Date.now() + timeout * 1000; ; await sleep(Math.min(1000, deadline - Date.now()), signal)) {
    const { head, live } = await unwrap(getStatus({ client, signal }));
    // Read behind the status: what is live in it was not taken back later.
    for await (const { number, origin } of paginate(listRevisions, { client, signal, query: { limit: 500 } })) {
      if (head <= revision || number <= revision) break;
      const refused = origin.kind === "take_back" && origin.revisions.includes(revision);
      if (refused) return { outcome: "refused", revision, deployment: origin.deployment };
    }
    if (live >= revision) return { outcome: "live", revision, liveRevision: live };
    if (Date.now() >= deadline) return { outcome: "timeout", revision };
  }
}
