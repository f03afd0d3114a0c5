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
  /** Events were lost: read anew what you show. */
  reset: Record<string, never>;
}
export type Topic = Exclude<keyof Topics, "reset">;
/** Something that moved; `id` is what `lastEventId` takes. */
export type StreamEvent<T extends keyof Topics = keyof Topics> = { [K in T]: { topic: K; data: Topics[K]; id?: string } }[T];

export interface StreamOptions<T extends Topic = Topic> {
  client?: Client;
  /** All where absent. */
  topics?: readonly T[];
  lastEventId?: string;
  /** Ends the stream, without an error. */
  signal?: AbortSignal;
  /** Told when events can come, and when they cannot, with why. */
  onState?: (state: "open" | "waiting", error?: unknown) => void;
  /** Milliseconds: without a byte until a connection is dead (comments come every 15 s); before the first reconnect (doubled up to 30 s). */
  idle?: number;
  delay?: number;
}

/** Follows what moves, through restarts and broken connections. Throws what trying again would not mend, such as a refused credential. */
export async function* stream<T extends Topic = Topic>(options: StreamOptions<T> = {}): AsyncGenerator<StreamEvent<T | "reset">, void> {
  const { client = defaultClient, topics, signal, onState, idle = 45_000, delay = 500 } = options;
  const url = "/api/v1/stream";
  // What cannot be an address is no broken connection.
  new Request(client.buildUrl({ url }));
  let { lastEventId } = options;
  let [failures, opened] = [0, false];
  const alive = () => {
    failures = 0;
  };
  while (!signal?.aborted) {
    let failed: unknown;
    try {
      const body = await unwrap(
        client.get<{ 200: ReadableStream<Uint8Array> }>({
          ...{ url, parseAs: "stream", signal, security: [{ scheme: "bearer", type: "http" }] },
          query: topics && { topics: topics.join(",") },
          headers: { "Last-Event-ID": lastEventId },
        }),
      );
      onState?.("open");
      // What came between is lost, and without an id the server cannot know.
      if (opened && lastEventId === undefined) yield { topic: "reset", data: {} } as StreamEvent<T | "reset">;
      opened = true;
      for await (const { event, data, id } of parse(body, idle, alive)) {
        lastEventId = id ?? lastEventId;
        yield { topic: event, data: JSON.parse(data), id: lastEventId } as StreamEvent<T | "reset">;
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
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const timer = setTimeout(end, signal?.aborted ? 0 : ms);
  signal?.addEventListener("abort", end);
  await ended;
  clearTimeout(timer);
  signal?.removeEventListener("abort", end);
}
