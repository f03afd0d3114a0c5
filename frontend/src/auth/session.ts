import { client, createGuardProxy, isProblem, refreshSession, type SignedIn, type SignIn, signIn, signOut } from "@guard-proxy/client";
import { call } from "@/lib/api";
import { throughChangeSet } from "@/working/request";
import { alone, openTabs, type SignedOutWhy } from "./tabs";

/**
 * Who is signed in, in this tab. The access token is in memory alone; the cookie, which scripts cannot read, gets the next one.
 * Two tabs never refresh at the same moment: they take turns by a lock, and tell each other the token.
 */
type SessionState = { status: "unknown" } | { status: "in" } | { status: "out"; why: SignedOutWhy };

/** Renewed so long before its end: a request that is on its way must not arrive with a token that is over. */
const EARLY_MS = 60_000;
const LOCK = "guard-proxy-refresh";

let state: SessionState = { status: "unknown" };
let token: string | undefined;
let expiresAt = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let started: Promise<void> | undefined;
const watchers = new Set<() => void>();

const tabs = openTabs((message) => {
  if (message.type === "token") adopt(message.token, message.expiresAt);
  else leave(message.why);
});

export const session = {
  get: () => state,
  token: () => token,
  watch(watcher: () => void) {
    watchers.add(watcher);
    return () => void watchers.delete(watcher);
  },

  /** Finds out, once, whether the cookie is good. */
  start(): Promise<void> {
    started ??= refresh(undefined).then(
      () => {},
      () => {},
    );
    return started;
  },

  async signIn(body: SignIn) {
    take(await call(signIn({ body })));
  },

  async signOut(everywhere = false) {
    try {
      await call(signOut({ body: { everywhere } }));
    } catch (error) {
      // A session that is over is what was wanted; anything else leaves the cookie where it is, so say so.
      if (!isProblem(error, "unauthenticated")) throw error;
    }
    tabs.tell({ type: "signed-out", why: "asked" });
    leave("asked");
  },

  /** A token that an answer brought beside (a change of the password, of the authenticator). */
  take,
};

function set(next: SessionState) {
  if (next.status === state.status) return;
  state = next;
  for (const watcher of watchers) watcher();
}

function take(signedIn: SignedIn) {
  const until = Date.now() + signedIn.expires_in * 1000;
  adopt(signedIn.access_token, until);
  tabs.tell({ type: "token", token: signedIn.access_token, expiresAt: until });
}

function adopt(next: string, until: number) {
  token = next;
  expiresAt = until;
  clearTimeout(timer);
  timer = setTimeout(() => void refresh(next).catch(() => {}), Math.max(until - Date.now() - EARLY_MS, 5_000));
  set({ status: "in" });
}

function leave(why: SignedOutWhy) {
  token = undefined;
  expiresAt = 0;
  clearTimeout(timer);
  set({ status: "out", why });
}

/** Another token than `used`, from another tab or from the server; signed out where the cookie is good no more. */
async function refresh(used: string | undefined): Promise<string> {
  return alone(LOCK, async () => {
    // While this tab waited for its turn, another may have told us the next one.
    if (token && token !== used && expiresAt > Date.now()) return token;
    try {
      const next = await call(refreshSession());
      take(next);
      return next.access_token;
    } catch (error) {
      const over = isProblem(error) && (error.status === 401 || error.status === 403);
      if (over) {
        const why = state.status === "in" ? "expired" : "never";
        if (why === "expired") tabs.tell({ type: "signed-out", why });
        leave(why);
      } else if (state.status === "unknown") {
        leave("never");
      } else {
        // The server is away: the session may well be there when it is back.
        clearTimeout(timer);
        timer = setTimeout(() => void refresh(used).catch(() => {}), 10_000);
      }
      throw error;
    }
  });
}

client.interceptors.request.use(throughChangeSet);
/** Operations use this client: it asks for another token where one is refused (it ended on its way, or the machine slept). */
createGuardProxy({
  client,
  baseUrl: location.origin,
  getToken: (refused) => (refused === undefined ? token : refresh(refused).catch(() => undefined)),
});
