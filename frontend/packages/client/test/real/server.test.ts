// Ours against the real server.
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import {
  createChangeSet,
  createGuardProxy,
  deletePolicy,
  followRevision,
  getMe,
  getPolicy,
  getStatus,
  isProblem,
  listPolicies,
  listRevisions,
  listVhosts,
  type PolicyRepresentation,
  Problem,
  paginate,
  patchPolicy,
  putPolicy,
  type StreamEvent,
  signIn,
  signOut,
  stream,
  unwrap,
  waitLive,
} from "../../src/index.ts";

const { url: baseUrl, token } = inject("api");
const client = createGuardProxy({ baseUrl, token });
const somebodyElse = createGuardProxy({ baseUrl, token });
const path = { policy: "mine" };
const anyway = { headers: { "If-Match": "*" } };

beforeAll(async () => {
  await unwrap(putPolicy({ client: somebodyElse, path, body: { mode: "detect" } }));
});
afterAll(async () => {
  await unwrap(deletePolicy({ client, path, ...anyway }));
});

it("pages through everything, once, in order", async () => {
  const { total } = await unwrap(listVhosts({ client }));
  const names: string[] = [];
  for await (const { name } of paginate(listVhosts, { client, query: { limit: 1, sort: "-name" } })) names.push(name);
  expect(names).toHaveLength(total);
  expect(names).toEqual([...new Set(names)].sort().reverse());
  const numbers: number[] = [];
  for await (const { number } of paginate(listRevisions, { client, query: { limit: 3 } })) numbers.push(number);
  expect(numbers).toEqual(Array.from(numbers, (_, index) => numbers.length - index));
});

describe("If-Match", () => {
  it("is wanted for what was never read", async () => {
    const { error } = await patchPolicy({ client: createGuardProxy({ baseUrl, token }), path, body: { title: "x" } });
    expect(isProblem(error, "precondition_required")).toBe(true);
  });

  it("lets what was read be changed, again and again", async () => {
    await unwrap(getPolicy({ client, path }));
    for (const title of ["a", "b"]) expect(await unwrap(patchPolicy({ client, path, body: { title } }))).toMatchObject({ title });
    for await (const { name } of paginate(listPolicies, { client: somebodyElse })) {
      if (name === "mine") await unwrap(patchPolicy({ client: somebodyElse, path, body: { title: "by somebody else" } }));
    }
  });

  it("refuses what somebody else changed meanwhile, with how it is now", async () => {
    const shown = await unwrap(getPolicy({ client, path }));
    await unwrap(patchPolicy({ client: somebodyElse, path, body: { title: "faster" }, ...anyway }));
    const { error } = await patchPolicy({ client, path, body: { title: "slower" } });
    if (!isProblem<PolicyRepresentation>(error, "precondition_failed")) throw error;
    expect(error.current).toMatchObject({ title: "faster", mode: "detect" });
    // What is shown is still the old one, whatever was read since.
    await unwrap(getPolicy({ client, path }));
    expect((await putPolicy({ client, path, body: { ...shown, title: "slower" } })).error).toMatchObject({ code: "precondition_failed" });
    await unwrap(putPolicy({ client, path, body: { ...(await unwrap(getPolicy({ client, path }))), title: "slower" } }));
  });

  it("knows a change set's view from what is committed", async () => {
    const { id } = await unwrap(createChangeSet({ client, body: { message: "later" } }));
    const query = { change_set: id };
    await unwrap(getPolicy({ client, path, query }));
    for (const title of ["staged", "staged again"]) await unwrap(patchPolicy({ client, path, query, body: { title } }));
    expect((await unwrap(getPolicy({ client, path }))).title).toBe("slower");
    await unwrap(patchPolicy({ client, path, body: { title: "committed" } }));
    expect((await unwrap(getPolicy({ client, path, query }))).title).toBe("staged again");
  });
});

describe("problems", () => {
  it("point at each fault", async () => {
    const body = { paranoia: { blocking: 4, detection: 1 }, nonsense: true } as object;
    const { error } = await putPolicy({ client, path: { policy: "wrong" }, body });
    if (!isProblem(error)) throw error;
    expect(error).toBeInstanceOf(Problem);
    expect([error.status, error.code]).toEqual([422, "invalid"]);
    expect(error.errors.map(({ pointer }) => pointer)).toEqual(["/nonsense", "/paranoia/detection"]);
    expect(error.requestId).toMatch(/./);
  });

  it("are told for a credential that is none, and for what is not there", async () => {
    const stranger = createGuardProxy({ baseUrl, token: "gpx_nobody" });
    expect((await getMe({ client: stranger })).error).toMatchObject({ code: "unauthenticated", status: 401 });
    expect((await getPolicy({ client, path: { policy: "nothing" } })).error).toMatchObject({ code: "not_found", status: 404 });
    await expect(stream({ client: stranger }).next()).rejects.toMatchObject({ code: "unauthenticated" });
    await expect(stream({ client, lastEventId: "nonsense" }).next()).rejects.toMatchObject({ code: "invalid_header" });
  });
});

describe("waiting", () => {
  it("ends live, and the revision is", async () => {
    const waited = await waitLive(patchPolicy, { client, path, body: { paranoia: { blocking: 1, detection: 3 } }, ...anyway });
    if (waited.outcome !== "live") throw new Error(waited.outcome);
    expect(waited.data?.paranoia.detection).toBe(3);
    const status = await unwrap(getStatus({ client }));
    expect(status.live).toBeGreaterThanOrEqual(waited.revision);
    expect(await followRevision({ client, revision: waited.revision })).toMatchObject({ outcome: "live" });
  });

  it("ends refused, with the engine's words", async () => {
    const seclang = 'SecRule ARGS "@rx (" "phase:2,deny,status:403"';
    const body = { custom_rules: [{ id: 190001, seclang }] };
    const waited = await waitLive(patchPolicy, { client, path, body, ...anyway });
    if (waited.outcome !== "refused") throw new Error(waited.outcome);
    expect(waited.problem?.said).toMatch(/./);
    expect(waited.problem?.errors[0]?.pointer).toContain("custom_rules");
  });
});

describe("the stream", () => {
  async function take(count: number, events: AsyncIterable<StreamEvent>, change: () => Promise<unknown>): Promise<StreamEvent[]> {
    const found: StreamEvent[] = [];
    for await (const event of events) {
      found.push(event);
      if (found.length === count) break;
      await change();
    }
    return found;
  }
  let changes = 0;
  const change = () => unwrap(patchPolicy({ client, path, body: { title: `${changes++}` }, ...anyway }));

  it("tells of what is changed, and goes on where it was after its connection broke", async () => {
    const connections: AbortController[] = [];
    const breaking = createGuardProxy({
      ...{ baseUrl, token },
      fetch: (input, init) => {
        connections.push(new AbortController());
        return fetch(input, { ...init, signal: connections.at(-1)?.signal ?? null });
      },
    });
    const states: string[] = [];
    const onState = (state: string) => {
      states.push(state);
      if (state === "open" && connections.length === 1) void change();
      // Broken while something happens: it is told of behind the break.
      if (state === "waiting") void change();
    };
    const signal = AbortSignal.timeout(20_000);
    const events = stream({ client: breaking, topics: ["revisions"], delay: 300, onState, signal });
    const found = await take(3, events, async () => {
      if (connections.length === 1) connections[0]?.abort();
      else await change();
    });
    expect(connections.length).toBeGreaterThanOrEqual(2);
    expect(states.slice(0, 3)).toEqual(["open", "waiting", "open"]);
    const numbers = found.map((event) => event.topic === "revisions" && event.data.number);
    expect(numbers).toEqual([0, 1, 2].map((more) => Number(numbers[0]) + more));
  });

  it("tells of a reset where the server does not know the event", async () => {
    const found = await take(1, stream({ client, lastEventId: "another-7", signal: AbortSignal.timeout(20_000) }), change);
    expect(found).toMatchObject([{ topic: "reset" }]);
  });

  it("gives its place back when it is left", async () => {
    // 16 of a principal are allowed.
    for (let round = 0; round < 20; round++) {
      for await (const { topic } of stream({ client, lastEventId: "another-7" })) {
        expect(topic).toBe("reset");
        break;
      }
      await pause(20);
    }
  });
});

it("renews a credential that was refused, for requests and for the stream", async () => {
  const body = inject("person");
  let current = "";
  let renewed = 0;
  const session = createGuardProxy({
    baseUrl,
    getToken: async (refused) => {
      if (!current || refused === current) {
        renewed++;
        current = (await unwrap(signIn({ client: session, body }))).access_token;
      }
      return current;
    },
  });
  expect((await unwrap(getMe({ client: session }))).label).toBe(`user:${body.email}`);
  expect(renewed).toBe(1);
  await unwrap(signOut({ client: session, body: {} }));
  await Promise.all([1, 2, 3].map(() => unwrap(getPolicy({ client: session, path }))));
  expect(renewed).toBe(2);
  await unwrap(signOut({ client: session, body: {} }));
  for await (const { topic } of stream({ client: session, lastEventId: "another-7" })) {
    expect(topic).toBe("reset");
    break;
  }
  expect(renewed).toBe(3);
});
