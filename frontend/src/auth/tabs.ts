/** Tabs of one browser: what one learns, all know. */
export type TabMessage = { type: "token"; token: string; expiresAt: number } | { type: "signed-out"; why: SignedOutWhy };

export type SignedOutWhy = "asked" | "expired" | "never";

const NAME = "guard-proxy-session";

export function openTabs(heard: (message: TabMessage) => void) {
  if (typeof BroadcastChannel === "undefined") return { tell: (_: TabMessage) => {}, close: () => {} };
  const channel = new BroadcastChannel(NAME);
  channel.onmessage = (event: MessageEvent<TabMessage>) => heard(event.data);
  return { tell: (message: TabMessage) => channel.postMessage(message), close: () => channel.close() };
}

/** One tab at a time. Where there are no locks (an old browser), the server's ten seconds of grace for two tabs have to do. */
export function alone<T>(name: string, work: () => Promise<T>): Promise<T> {
  if (!("locks" in navigator)) return work();
  return navigator.locks.request(name, work) as Promise<T>;
}
