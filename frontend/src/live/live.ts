import { type StreamEvent, stream } from "@guard-proxy/client";
import type { QueryClient } from "@tanstack/react-query";
import { invalidate, invalidateAll } from "@/lib/keys";

/**
 * One connection for events, however many tabs there are: the tab that has the lock reads the stream and tells the others. When it
 * closes, the lock goes to another.
 */
const LOCK = "guard-proxy-stream";
const CHANNEL = "guard-proxy-live";

type Message = { type: "event"; topic: StreamEvent["topic"] } | { type: "connected"; connected: boolean } | { type: "who" };

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
  const tell = (message: Message) => {
    if (!stop.signal.aborted) channel?.postMessage(message);
  };
  const changed = (next: boolean) => {
    if (stop.signal.aborted) return;
    setConnected(next);
    tell({ type: "connected", connected: next });
  };

  if (channel) {
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.type === "event") hear(queries, data.topic);
      else if (data.type === "connected") setConnected(data.connected);
      else if (leads) tell({ type: "connected", connected });
    };
  }
  tell({ type: "who" });

  const lead = async () => {
    leads = true;
    const events = stream({ signal: stop.signal, onState: (state) => changed(state === "open") });
    try {
      // What happened while nobody listened.
      invalidateAll(queries);
      for await (const { topic } of events) {
        hear(queries, topic);
        tell({ type: "event", topic });
      }
    } finally {
      changed(false);
    }
  };
  // Ends by itself where trying again would not mend it, as when the session is over: then the panel asks now and then instead.
  const led = "locks" in navigator ? navigator.locks.request(LOCK, { signal: stop.signal }, lead) : lead();
  led.catch(() => {});

  return () => {
    stop.abort();
    channel?.close();
    setConnected(false);
  };
}

function hear(queries: QueryClient, topic: StreamEvent["topic"]) {
  if (topic === "reset") invalidateAll(queries);
  else invalidate(queries, topic);
}
