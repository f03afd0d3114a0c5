import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { followRevision, patchPolicy, waitLive } from "../../src/index.ts";
import { fake, json, problem, type Sent } from "./helpers.ts";

const options = { path: { policy: "shop" }, body: { mode: "block" }, query: { message: "m" } } as const;
const committed = (headers: Record<string, string> = {}, status = 200) =>
  json({ mode: "block" }, { "Guard-Proxy-Revision": "7", ...headers }, status);

describe("waiting", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  /** A server at which the status and the revisions are as given, one after the other. */
  function server(first: Response, states: [head: number, live: number][], taken: number[] = []) {
    let at = 0;
    return fake([
      first,
      ({ path }: Sent) => {
        if (path === "/api/v1/status") {
          const [head, live] = states[Math.min(at++, states.length - 1)] ?? [0, 0];
          return json({ head, live });
        }
        const revision = (number: number) => ({
          number,
          origin: number === 9 && taken.length > 0 ? { kind: "take_back", revisions: taken, deployment: "d9" } : { kind: "write" },
        });
        return json({ items: [9, 8, 7, 6].map(revision), next_cursor: null });
      },
    ]);
  }

  it("asks the server to wait, and says what became of it", async () => {
    const { client, sent } = fake([committed({ "Guard-Proxy-Live-Revision": "8" })]);
    expect(await waitLive(patchPolicy, { client, ...options })).toEqual({
      outcome: "live",
      revision: 7,
      liveRevision: 8,
      data: { mode: "block" },
    });
    expect(sent.map(({ path }) => path)).toEqual(["/api/v1/policies/shop?message=m&wait=live&wait_timeout_s=30"]);
    const long = fake([committed({ "Guard-Proxy-Live-Revision": "8" })]);
    await waitLive(patchPolicy, { client: long.client, ...options }, { timeout: 600 });
    expect(long.sent[0]?.path).toContain("wait_timeout_s=120");
  });

  it("is refused with the engine's words, before or after the commit", async () => {
    const refused = problem(422, "refused", { said: "no", deployment: "d1", revision: 7 });
    const { client } = fake([refused, problem(422, "refused", { said: "never" }), problem(422, "invalid")]);
    expect(await waitLive(patchPolicy, { client, ...options })).toMatchObject({
      outcome: "refused",
      revision: 7,
      deployment: "d1",
      problem: { said: "no" },
    });
    expect(await waitLive(patchPolicy, { client, ...options })).toMatchObject({ outcome: "refused", problem: { said: "never" } });
    await expect(waitLive(patchPolicy, { client, ...options })).rejects.toMatchObject({ code: "invalid" });
  });

  it("goes on where the server stops waiting", async () => {
    const { client } = server(committed({ Location: "/api/v1/deployments/d1" }, 202), [
      [7, 6],
      [7, 6],
      [8, 8],
    ]);
    const waited = waitLive(patchPolicy, { client, ...options }, { timeout: 300 });
    await vi.advanceTimersByTimeAsync(5000);
    expect(await waited).toEqual({ outcome: "live", revision: 7, liveRevision: 8, data: { mode: "block" } });
  });

  it("gives up when the time is over", async () => {
    const { client } = server(committed({}, 202), [[7, 6]]);
    const waited = waitLive(patchPolicy, { client, ...options }, { timeout: 3 });
    await vi.advanceTimersByTimeAsync(3000);
    expect(await waited).toEqual({ outcome: "timeout", revision: 7, data: { mode: "block" } });
  });

  it("sees that a revision was taken back, though a later one is live", async () => {
    const { client } = server(committed({}, 202), [[9, 9]], [7]);
    expect(await waitLive(patchPolicy, { client, ...options })).toMatchObject({ outcome: "refused", revision: 7, deployment: "d9" });
    expect(await followRevision({ client, revision: 8 })).toEqual({ outcome: "live", revision: 8, liveRevision: 9 });
  });

  it("says so where nothing was committed, and stops by its signal", async () => {
    await expect(waitLive(patchPolicy, { client: fake([json({})]).client, ...options })).rejects.toThrow("staged");
    const stop = new AbortController();
    const down = ({ path }: Sent, signal: AbortSignal) => {
      signal.throwIfAborted();
      return json(path === "/api/v1/status" ? { head: 7, live: 6 } : { items: [] });
    };
    const followed = followRevision({ client: fake([down]).client, revision: 7, signal: stop.signal });
    const failed = expect(followed).rejects.toThrow(/abort/i);
    await vi.advanceTimersByTimeAsync(100);
    stop.abort();
    await vi.advanceTimersByTimeAsync(100);
    await failed;
  });
});
