import { afterEach, describe, expect, it, vi } from "vitest";
import { isProblem, type StreamEvent, type StreamOptions, stream } from "../../src/index.ts";
import { parse } from "../../src/sse.ts";
import { events, fake, problem } from "./helpers.ts";

afterEach(() => vi.useRealTimers());

const FOREVER = 1_000_000;

async function parsed(bytes: Uint8Array, ...cuts: number[]) {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const places = [0, ...cuts, bytes.length];
      for (const [index, from] of places.entries()) {
        const part = bytes.slice(from, places[index + 1]);
        if (part.length > 0) controller.enqueue(part);
      }
      controller.close();
    },
  });
  const found = [];
  for await (const event of parse(body, FOREVER)) if (event) found.push(event);
  return found;
}

describe("server-sent events", () => {
  const text =
    '\uFEFF: hello\n\nid: a-1\nevent: status\ndata: {"a":\ndata:  "ä€😀"}\n\nevent: nothing\n\ndata\n\n' +
    "id: a-2\r\ndata:no space\r\nretry: 5\r\nunknown: x\r\n\r\nid: b\0c\rdata: old\r\rid\ndata: last\n\ndata: cut off";
  const want = [
    { name: "status", data: '{"a":\n "ä€😀"}', id: "a-1" },
    { name: "message", data: "", id: "a-1" },
    { name: "message", data: "no space", id: "a-2" },
    { name: "message", data: "old", id: "a-2" },
    { name: "message", data: "last", id: "" },
  ];
  const bytes = new TextEncoder().encode(text);

  it("are the same, wherever the bytes are cut", async () => {
    expect(await parsed(bytes)).toEqual(want);
    for (let cut = 1; cut < bytes.length; cut++) expect(await parsed(bytes, cut), `cut at ${cut}`).toEqual(want);
    const all = Array.from({ length: bytes.length - 1 }, (_, index) => index + 1);
    expect(await parsed(bytes, ...all)).toEqual(want);
  });
});

/** What it yields until the given number, then it is left. */
async function first(count: number, options: StreamOptions): Promise<StreamEvent[]> {
  const found: StreamEvent[] = [];
  for await (const event of stream({ delay: 1, ...options })) {
    found.push(event);
    if (found.length === count) break;
  }
  return found;
}

describe("the stream", () => {
  const status = (id: string) => `id: ${id}\nevent: status\ndata: {"n":"${id}"}\n\n`;

  it("asks with credential and topics, and goes on where it was", async () => {
    const { client, sent } = fake([events([status("a-1"), status("a-2")], true), new TypeError("fetch failed"), events([status("a-3")])]);
    const states: unknown[] = [];
    const found = await first(3, {
      client,
      topics: ["status", "proofs"],
      onState: (state, error) => states.push(error ? [state, error] : state),
    });
    expect(found).toEqual(["a-1", "a-2", "a-3"].map((id) => ({ topic: "status", data: { n: id }, id })));
    expect(sent.map(({ path }) => path)).toEqual(Array(3).fill("/api/v1/stream?topics=status%2Cproofs"));
    expect(sent.map(({ headers }) => headers.get("Last-Event-ID"))).toEqual([null, "a-2", "a-2"]);
    expect(sent[0]?.headers.get("Authorization")).toBe("Bearer t");
    expect(states).toEqual(["open", "waiting", ["waiting", new TypeError("fetch failed")], "open"]);
  });

  it("begins behind an event that is named, and tells of a reset", async () => {
    const { client, sent } = fake([events(["event: reset\ndata: {}\n\n", status("b-1")])]);
    expect(await first(2, { client, lastEventId: "a-9" })).toMatchObject([{ topic: "reset", id: "a-9" }, { id: "b-1" }]);
    expect(sent[0]?.headers.get("Last-Event-ID")).toBe("a-9");
  });

  it("is a reset of its own where a connection broke before the first event", async () => {
    const { client } = fake([events([": still here\n\n"], true), events([status("a-5")])]);
    expect((await first(2, { client })).map(({ topic }) => topic)).toEqual(["reset", "status"]);
  });

  it("takes a connection without a sign of life for dead", async () => {
    const { client, sent } = fake([events([status("a-1")]), events([status("a-2")])]);
    expect((await first(2, { client, idle: 20 })).map(({ id }) => id)).toEqual(["a-1", "a-2"]);
    expect(sent).toHaveLength(2);
  });

  it("waits longer each time, and as long as the server says", async () => {
    vi.useFakeTimers();
    vi.spyOn(Math, "random").mockReturnValue(1);
    const busy = problem(429, "too_many", {}, { "Retry-After": "5" });
    const { client, sent } = fake([
      ...Array(9).fill(new TypeError("fetch failed")),
      busy,
      problem(503, "unavailable"),
      events([status("a-1")]),
    ]);
    const next = stream({ client }).next();
    const waits: number[] = [];
    for (let seconds = 0; sent.length < 12 && seconds < 400; seconds += 0.5) {
      const before = sent.length;
      await vi.advanceTimersByTimeAsync(500);
      if (sent.length > before) waits.push(seconds + 0.5);
    }
    expect(waits.map((at, index) => at - (waits[index - 1] ?? 0))).toEqual([0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30]);
    expect(await next).toMatchObject({ value: { id: "a-1" } });
    vi.restoreAllMocks();
  });

  it("begins with short waits again after a sign of life", async () => {
    vi.useFakeTimers();
    vi.spyOn(Math, "random").mockReturnValue(1);
    const down = new TypeError("fetch failed");
    const { client, sent } = fake([down, down, down, events([": here\n\n"], true), down, events([status("a-1")])]);
    const next = stream({ client, lastEventId: "a-0" }).next();
    await vi.advanceTimersByTimeAsync(500 + 1000 + 2000);
    expect(sent).toHaveLength(4);
    await vi.advanceTimersByTimeAsync(500 + 1000);
    expect(sent).toHaveLength(6);
    expect(await next).toMatchObject({ value: { id: "a-1" } });
    vi.restoreAllMocks();
  });

  it("throws what trying again would not mend", async () => {
    for (const [status, code] of [
      [400, "invalid_header"],
      [401, "unauthenticated"],
      [403, "forbidden"],
    ] as const) {
      const { client, sent } = fake([problem(status, code)]);
      await expect(first(1, { client })).rejects.toSatisfy((error) => isProblem(error, code));
      expect(sent).toHaveLength(1);
    }
    const { client } = fake([events([])], { baseUrl: "" });
    await expect(first(1, { client })).rejects.toThrow(TypeError);
  });

  it("ends quietly by its signal: while it listens, waits, or before", async () => {
    for (const answer of [events([status("a-1")]), new TypeError("fetch failed")]) {
      const { client } = fake([answer]);
      expect(await first(2, { client, delay: FOREVER, signal: AbortSignal.timeout(30) })).toHaveLength(answer instanceof Error ? 0 : 1);
    }
    const { client, sent } = fake([events([])]);
    expect(await first(1, { client, signal: AbortSignal.abort() })).toEqual([]);
    expect(sent).toEqual([]);
  });

  it("lets go of its connection when it is left", async () => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode(status("a-1"))),
      cancel: () => {
        cancelled = true;
      },
    });
    const { client } = fake([() => new Response(body, { headers: { "Content-Type": "text/event-stream" } })]);
    await first(1, { client });
    expect(cancelled).toBe(true);
  });
});
