import type { QueryClient } from "@tanstack/react-query";
import { fetchWithSession, session } from "@/auth/session";
import { invalidate, invalidateAll, keys } from "@/lib/keys";
import { EventParser, type LiveEvent } from "./stream";

/**
 * One connection for events, however many tabs there are: the tab that has the lock reads the stream and tells the others. When it
 * closes, the lock goes to another.
 */
const LOCK = "guard-proxy-stream";
const CHANNEL = "guard-proxy-live";
const RETRY_MS = [1_000, 2_000, 5_000, 15_000];
/** The server sends a comment each 15 s: after so long without one the connection is dead, whatever the browser thinks. */
const SILENCE_MS = 45_000;

type Message = { type: "event"; event: LiveEvent } | { type: "connected"; connected: boolean } | { type: "who" };

let connected = false;
const watchers = new Set<() => void>();

export const live = {
  connected: () => connected,
  watch(watcher: () => void) {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  },
};

function setConnected(next: boolean) {
  if (next === connected) return;
  connected = next;
  for (const watcher of watchers) watcher();
}

/** Follows events until the returned function is called. */
export function follow(queries: QueryClient): () => void {
  const stop = new AbortController();
  const channel = typeof BroadcastChannel === "undefined" ? undefined : new BroadcastChannel(CHANNEL);
  let leads = false;
  const tell = (message: Message) => channel?.postMessage(message);

  if (channel) {
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.type === "event") hear(queries, data.event);
      else if (data.type === "connected") setConnected(data.connected);
      else if (leads) tell({ type: "connected", connected });
    };
  }
  tell({ type: "who" });

  const lead = async () => {
    leads = true;
    await read(stop.signal, {
      event(event) {
        hear(queries, event);
        tell({ type: "event", event });
      },
      connected(next) {
        setConnected(next);
        tell({ type: "connected", connected: next });
      },
    });
  };
  if ("locks" in navigator) void navigator.locks.request(LOCK, { signal: stop.signal }, lead).catch(() => {});
  else void lead();

  return () => {
    stop.abort();
    channel?.close();
    setConnected(false);
  };
}

function hear(queries: QueryClient, { topic, data }: LiveEvent) {
  if (topic === "reset") return invalidateAll(queries);
  if (topic === "status" && data) queries.setQueryData(keys.all("status"), data);
  else invalidate(queries, topic);
}

type Sink = { event: (event: LiveEvent) => void; connected: (connected: boolean) => void };

async function read(signal: AbortSignal, sink: Sink) {
  const parser = new EventParser();
  let failures = 0;
  while (!signal.aborted) {
    try {
      await once(signal, parser, sink, () => {
        // What happened before the first connection nobody heard of.
        if (failures > 0 || parser.lastId === undefined) sink.event({ topic: "reset", data: undefined });
        failures = 0;
      });
    } catch {
      failures += 1;
    }
    sink.connected(false);
    await pause(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 15_000, signal);
  }
}

async function once(signal: AbortSignal, parser: EventParser, sink: Sink, opened: () => void) {
  const token = session.token();
  if (!token) throw new Error("signed out");
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  const headers: Record<string, string> = { accept: "text/event-stream", authorization: `Bearer ${token}` };
  if (parser.lastId) headers["last-event-id"] = parser.lastId;
  try {
    const response = await fetchWithSession("/api/v1/stream", {
      headers,
      signal: AbortSignal.any([signal, silence.signal]),
    });
    if (!response.ok || !response.body) throw new Error(`the stream answered ${response.status}`);
    sink.connected(true);
    opened();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      for (const event of parser.push(value)) sink.event(event);
    }
  } finally {
    clearTimeout(timer);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      done();
    });
  });
}
