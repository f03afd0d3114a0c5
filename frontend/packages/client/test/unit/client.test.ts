import { describe, expect, it } from "vitest";
import {
  changePassword,
  createGuardProxy,
  client as defaultClient,
  deletePolicy,
  getIpList,
  getPolicy,
  isProblem,
  listExclusions,
  listPaths,
  listTokens,
  listVhosts,
  Problem,
  paginate,
  patchExclusion,
  patchPath,
  patchPolicy,
  patchVhost,
  putPolicy,
  ready,
  refreshSession,
  unwrap,
} from "../../src/index.ts";
import { fake, json, problem } from "./helpers.ts";

const path = { policy: "shop" };
const policy = (etag: string) => ({ name: "shop", mode: "block", meta: { etag } });

describe("paging", () => {
  it("follows next_cursor with the same query, and only as far as it is read", async () => {
    const pages = [
      json({ items: [{ name: "a" }, { name: "b" }], next_cursor: "c1" }),
      json({ items: [], next_cursor: "c2" }),
      json({ items: [{ name: "c" }], next_cursor: null }),
    ];
    const { client, sent } = fake(pages);
    const names = [];
    for await (const { name } of paginate(listVhosts, { client, query: { limit: 2, q: "x" } })) names.push(name);
    expect(names).toEqual(["a", "b", "c"]);
    expect(sent.map((request) => request.path)).toEqual(
      ["", "&cursor=c1", "&cursor=c2"].map((more) => `/api/v1/vhosts?limit=2&q=x${more}`),
    );

    const half = fake(pages);
    for await (const _ of paginate(listVhosts, { client: half.client })) break;
    expect(half.sent).toHaveLength(1);
  });

  it("takes lists that come whole, and throws problems", async () => {
    const { client } = fake([json({ items: [{ name: "ci" }], total: 1 }), problem(403, "forbidden")]);
    const names = [];
    for await (const { name } of paginate(listTokens, { client })) names.push(name);
    expect(names).toEqual(["ci"]);
    await expect(paginate(listTokens, { client }).next()).rejects.toThrow(Problem);
  });
});

describe("If-Match", () => {
  const tags = (sent: { headers: Headers }[]) => sent.map(({ headers }) => headers.get("If-Match"));

  it("is the ETag of what was read, or written, last", async () => {
    const { client, sent } = fake([
      json(policy('"4"'), { ETag: '"4"' }),
      json(policy('"5"'), { ETag: '"5"' }),
      new Response(null, { status: 204 }),
      json({}, { ETag: '"9"' }, 201),
    ]);
    await getPolicy({ client, path });
    await patchPolicy({ client, path, body: {} });
    await deletePolicy({ client, path });
    await putPolicy({ client, path, body: {} });
    await patchPolicy({ client, path: { policy: "other" }, body: {} });
    expect(tags(sent)).toEqual([null, '"4"', '"5"', null, null]);
  });

  it("is the caller's where they gave one, also with If-None-Match", async () => {
    const { client, sent } = fake([json(policy('"4"'), { ETag: '"4"' })]);
    await getPolicy({ client, path });
    await patchPolicy({ client, path, body: {}, headers: { "If-Match": "*" } });
    await putPolicy({ client, path, body: {}, headers: { "If-None-Match": "*" } });
    expect(tags(sent)).toEqual([null, "*", null]);
  });

  it("is that of the representation that is written back, though others were read since", async () => {
    const { client, sent } = fake([json(policy('"4"'), { ETag: '"4"' }), json(policy('"6"'), { ETag: '"6"' })]);
    const shown = await unwrap(getPolicy({ client, path }));
    await getPolicy({ client, path });
    await putPolicy({ client, path, body: shown });
    // A copy is new.
    await putPolicy({ client, path: { policy: "copy" }, body: { ...shown, name: "copy" } });
    expect(tags(sent)).toEqual([null, null, '"4"', null]);
  });

  it("comes from lists, too", async () => {
    const items = [
      { name: "shop", meta: { etag: '"7"' } },
      { prefix: "/api/", meta: { etag: '"8"' } },
      { id: "comment", meta: { etag: '"9"' } },
    ];
    const { client, sent } = fake([json({ items, next_cursor: null })]);
    await listVhosts({ client });
    await patchVhost({ client, path: { vhost: "shop" }, body: {} });
    await listPaths({ client, path: { vhost: "shop" } });
    await patchPath({ client, path: { vhost: "shop", prefix: "/api/" }, body: {} });
    await listExclusions({ client, path });
    await patchExclusion({ client, path: { ...path, exclusion: "comment" }, body: {} });
    expect(tags(sent)).toEqual([null, '"7"', null, '"8"', null, '"9"']);
  });

  it("keeps a change set's view apart, and nothing of the past", async () => {
    const change_set = "0193";
    const { client, sent } = fake([json({}, { ETag: '"4"' }), json({}, { ETag: '"-2"' }), json({}, { ETag: '"1"' }), json({})]);
    await getPolicy({ client, path });
    await getPolicy({ client, path, query: { change_set } });
    await getPolicy({ client, path, query: { revision: 1 } });
    await patchPolicy({ client, path, body: {}, query: { change_set } });
    await patchPolicy({ client, path, body: {}, query: { message: "m" } });
    expect(tags(sent).slice(3)).toEqual(['"-2"', '"4"']);
  });

  it("stays stale after 412, which has the representation of now", async () => {
    const stale = problem(412, "precondition_failed", { current: policy('"6"') }, { ETag: '"6"' });
    const { client, sent } = fake([json({}, { ETag: '"4"' }), stale]);
    await getPolicy({ client, path });
    for (let attempt = 0; attempt < 2; attempt++) {
      const { error } = await patchPolicy({ client, path, body: {} });
      expect(isProblem<{ name: string }>(error, "precondition_failed") && error.current?.name).toBe("shop");
    }
    expect(tags(sent)).toEqual([null, '"4"', '"4"']);
  });
});

describe("problems", () => {
  it("are errors, thrown or answered", async () => {
    const errors = [{ pointer: "/mode", code: "unknown", detail: "no such mode" }];
    const { client } = fake([problem(422, "invalid", { errors }), problem(429, "too_many", {}, { "Retry-After": "7" })]);
    const { error } = await putPolicy({ client, path, body: {} });
    expect(error).toBeInstanceOf(Problem);
    expect(error).toMatchObject({ name: "Problem", message: "invalid: so it is", code: "invalid", status: 422, errors, requestId: "r1" });
    expect(isProblem(error, "taken", "invalid")).toBe(true);
    expect(isProblem(error, "taken")).toBe(false);
    await expect(unwrap(getPolicy({ client, path }))).rejects.toMatchObject({ code: "too_many", retryAfter: 7 });
    await expect(getPolicy({ client, path, throwOnError: true })).rejects.toBeInstanceOf(Problem);
  });

  it("are about:blank where the answer is not our server's", async () => {
    for (const [status, code] of [
      [502, "unavailable"],
      [404, "bad_request"],
    ] as const) {
      for (const text of ["<h1>sorry</h1>", ""]) {
        const { client } = fake([new Response(text, { status, headers: { "Content-Type": "text/html" } })]);
        await expect(unwrap(getPolicy({ client, path }))).rejects.toMatchObject({ type: "about:blank", status, code, errors: [] });
      }
    }
  });

  it("leave what is none as it is", async () => {
    const down = new TypeError("fetch failed");
    await expect(unwrap(getPolicy({ client: fake([down]).client, path }))).rejects.toBe(down);
    const readiness = { status: "not_ready", database: "away", data_plane: {} };
    const { error } = await ready({ client: fake([json(readiness, {}, 503)]).client });
    expect(error).toEqual(readiness);
    await expect(unwrap(ready({ client: fake([json(readiness, {}, 503)]).client }))).rejects.toMatchObject({ cause: readiness });
  });
});

describe("credentials", () => {
  const refused = problem(401, "unauthenticated");
  const bearer = (sent: { headers: Headers }[]) => sent.map(({ headers }) => headers.get("Authorization"));

  it("are asked for anew where one was refused, and the request is sent again, whole", async () => {
    const asked: unknown[] = [];
    const getToken = (was?: string) => {
      asked.push(was);
      return was ? "new" : "old";
    };
    const { client, sent } = fake([refused, json({ mode: "block" })], { getToken });
    expect(await unwrap(patchPolicy({ client, path, body: { mode: "block" }, headers: { "If-Match": "*" } }))).toEqual({ mode: "block" });
    expect(asked).toEqual([undefined, "old"]);
    expect(bearer(sent)).toEqual(["Bearer old", "Bearer new"]);
    expect(sent.map(({ method, body, headers }) => [method, body, headers.get("If-Match")])).toEqual(
      Array(2).fill(["PATCH", '{"mode":"block"}', "*"]),
    );
  });

  it("are asked for once by requests that are refused together", async () => {
    let renewed = 0;
    const getToken = async (was?: string) => {
      if (was) renewed++;
      await new Promise((done) => setTimeout(done, 5));
      return was ? "new" : "old";
    };
    const { client } = fake([({ headers }) => (headers.get("Authorization") === "Bearer new" ? json({}) : refused.clone())], { getToken });
    await Promise.all(Array.from({ length: 5 }, () => unwrap(getPolicy({ client, path }))));
    expect(renewed).toBe(1);
  });

  it("are tried once more, not for ever, and not for a wrong password", async () => {
    for (const [answer, getToken, times] of [
      [refused, (was?: string) => `${was}x`, 2],
      [refused, () => "same", 1],
      [refused, (was?: string) => (was ? undefined : "old"), 1],
      [problem(401, "sign_in_failed"), (was?: string) => (was ? "new" : "old"), 1],
    ] as const) {
      const { client, sent } = fake([answer], { getToken });
      const { error } = await changePassword({ client, body: { password: "wrong", new_password: "x" } as never });
      expect(isProblem(error)).toBe(true);
      expect(sent).toHaveLength(times);
    }
    const { client, sent } = fake([refused]);
    await getPolicy({ client, path });
    expect(sent).toHaveLength(1);
  });

  it("are not asked for by what wants none", async () => {
    const { client, sent } = fake([problem(401, "sign_in_failed")], {
      getToken: () => {
        throw new Error("asked");
      },
    });
    await refreshSession({ client });
    expect(bearer(sent)).toEqual([null]);
    await expect(unwrap(getIpList({ client, path: { ip_list: "a" } }))).rejects.toThrow("asked");
  });
});

it("sets up the generated client, for operations without one in their options", async () => {
  const { client, sent } = fake([json({ mode: "off" })], { client: defaultClient, token: "d" });
  expect(client).toBe(defaultClient);
  expect((await unwrap(getPolicy({ path }))).mode).toBe("off");
  expect(sent[0]?.headers.get("Authorization")).toBe("Bearer d");
  expect(createGuardProxy()).not.toBe(defaultClient);
});
