import { unwrap } from "./answer.js";
import type { Client } from "./generated/client/index.js";
import { client as defaultClient } from "./generated/client.gen.js";
import type { ChangeSet, Deployment, EngineStatus, Proof, RevisionInfo } from "./generated/index.js";
import { isProblem } from "./problem.js";
import { parse } from "./sse.js";

interface Topics {
  revisions: RevisionInfo;
  deployments: Deployment;
  status: EngineStatus;
  proofs: Proof;
  change_sets: ChangeSet;
  approvals: ChangeSet;
  reset: Record<string, never>;
}
export type Topic = Exclude<keyof Topics, "reset">;
/** Something that moved; `id` is what `lastEventId` takes. `reset`: events were lost, read anew what you show. */
export type StreamEvent<T extends keyof Topics = keyof Topics> = { [K in T]: { topic: K; data: Topics[K]; id?: string } }[T];

export interface StreamOptions<T extends Topic = Topic> {
  client?: Client;
  topics?: readonly T[];
  lastEventId?: string;
  signal?: AbortSignal;
  /** Told when events can come, and when they cannot, with why. */
  onState?: (state: "open" | "waiting", error?: unknown) => void;
  /** Milliseconds: without a byte until a connection is dead (comments come every 15 s); before the first reconnect (doubled up to 30 s). */
  idle?: number;
  delay?: number;
}

/** Follows what moves, through broken connections, until `signal`. Throws what trying again would not mend: a refused credential. */
export async function* stream<T extends Topic = Topic>(options: StreamOptions<T> = {}): AsyncGenerator<StreamEvent<T | "reset">, void> {
  const { client = defaultClient, topics, signal, onState, idle = 45_000, delay = 500 } = options;
  const fixed = { url: "/api/v1/stream", parseAs: "stream", security: [{ scheme: "bearer", type: "http" }], signal } as const;
  // What cannot be an address is no broken connection.
  new Request(client.buildUrl(fixed));
  const query = topics && { topics: topics.join(",") };
  let [id, failures, opened] = [options.lastEventId, 0, false];
  while (!signal?.aborted) {
    let failed: unknown;
    try {
      const body = (await unwrap(client.get({ ...fixed, query, headers: { "Last-Event-ID": id } }))) as ReadableStream<Uint8Array>;
      onState?.("open");
      // What came between is lost, and without an id the server cannot know.
      if (opened && id === undefined) yield { topic: "reset", data: {} } as StreamEvent<T | "reset">;
      opened = true;
      for await (const event of parse(body, idle)) {
        failures = 0;
        if (!event) continue;
        id = event.id ?? id;
        yield { topic: event.name, data: JSON.parse(event.data), id } as StreamEvent<T | "reset">;
      }
    } catch (error) {
      if (isProblem(error) && error.status < 500 && error.status !== 408 && error.status !== 429) throw error;
      failed = error;
    }
    if (signal?.aborted) return;
    onState?.("waiting", failed);
    const backoff = Math.min(delay * 2 ** failures++, 30_000) * (0.5 + Math.random() / 2);
    await sleep(Math.max(backoff, isProblem(failed) ? (failed.retryAfter ?? 0) * 1000 : 0), signal);
  }
}

/** Resolves after a time, or when the signal says so. */
export const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, signal?.aborted ? 0 : ms);
    signal?.addEventListener("abort", end);
  });
