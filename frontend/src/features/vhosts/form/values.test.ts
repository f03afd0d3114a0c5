import type { VhostRepresentation } from "@guard-proxy/client";
import { describe, expect, test } from "vitest";
import type { Value } from "@/lib/conflict";
import { vhost } from "@/test/vhost";
import { fieldOf, withValue } from "./place";
import { FRESH, missing, patchOf, valuesOf, vhostOf } from "./values";

const { meta: _, ...written } = vhost;

test("what is read is written back as it was", () => {
  expect(vhostOf(valuesOf(vhost))).toEqual(written);
});

test("what a path leaves out stays left out, whether the answer has null for it or nothing", () => {
  const bare = { ...vhost, paths: [{ prefix: "/api/" }] } as unknown as VhostRepresentation;
  expect(vhostOf(valuesOf(bare)).paths).toEqual([
    { prefix: "/api/", policy: null, websocket: null, body: { max_bytes: null, on_partial: null } },
  ]);
});

describe("a patch", () => {
  const patch = (change: (values: ReturnType<typeof valuesOf>) => void) => {
    const values = structuredClone(valuesOf(vhost));
    change(values);
    return patchOf(vhostOf(valuesOf(vhost)) as Value, vhostOf(values) as Value);
  };
  test("has what differs alone", () => {
    expect(patch(() => {})).toEqual({});
    expect(patch((values) => Object.assign(values.upstream.timeouts, { queue_ms: 1 }))).toEqual({
      upstream: { timeouts: { queue_ms: 1 } },
    });
    expect(patch((values) => values.hostnames.push("b.example.com"))).toEqual({ hostnames: ["shop.example.com", "b.example.com"] });
  });
  test("takes out with null", () => {
    expect(patch((values) => Object.assign(values, { labels: [{ key: "stage", value: "live" }] }))).toEqual({
      labels: { team: null, stage: "live" },
    });
  });
  test("has a whole object where there was none", () => {
    expect(patch((values) => Object.assign(values, { rate_limit: { requests: 5, period: "1s" } }))).toEqual({
      rate_limit: { requests: 5, period: "1s" },
    });
  });
});

test("what is missing is said before the server is asked", () => {
  expect(Object.keys(missing(FRESH)).sort()).toEqual([
    "hostnames",
    "name",
    "policy",
    "upstream.servers.0.address",
    "upstream.servers.0.port",
  ]);
  expect(missing(valuesOf(vhost))).toEqual({});
  const twice = { ...valuesOf(vhost), labels: [1, 2].map(() => ({ key: "team", value: "a" })) };
  expect(missing(twice)).toEqual({ "labels.1.key": "It is there twice." });
});

test.each([
  ["/hostnames/0", "hostnames"],
  ["/upstream/servers/0/address", "upstream.servers.0.address"],
  ["/upstream/servers", "upstream.servers"],
  ["/paths/0/body/max_bytes", "paths.0.max_bytes"],
  ["/paths/0", "paths.0.prefix"],
  ["/labels/team", "labels.0.value"],
  ["/access/trust/0", "access.trust"],
  ["/policy", "policy"],
  ["/upstream/timeouts/queue_ms", "upstream.timeouts.queue_ms"],
  ["/body", undefined],
  ["/something/else", undefined],
  ["", undefined],
])("an error at %s is shown at %s", (pointer, field) => {
  expect(fieldOf(valuesOf(vhost), pointer)).toBe(field);
});

test("of a list it is said which value is meant, unless the server has said it", () => {
  const error = (pointer: string, detail: string) => ({ pointer, code: "invalid_value", detail });
  const said = withValue(valuesOf(vhost), [
    error("/hostnames/0", "too long"),
    error("/hostnames/0", "`shop.example.com` belongs to vhost `blog`"),
    error("/title", "too long"),
  ]);
  expect(said.map(({ detail }) => detail)).toEqual([
    "shop.example.com: too long",
    "`shop.example.com` belongs to vhost `blog`",
    "too long",
  ]);
});
