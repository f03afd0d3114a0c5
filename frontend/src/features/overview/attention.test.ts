import type { PolicyRepresentation } from "@guard-proxy/client";
import { expect, test } from "vitest";
import { changeSet, status } from "@/test/server";
import { attention, few } from "./attention";

const now = Date.parse("2026-01-10T00:00:00Z");
const none = { status, refused: [], reviews: [], waiting: [], policies: [], now };

function policy(...ends: (string | null)[]) {
  const exclusions = ends.map((expires_at, at) => ({ id: `e${at}`, enabled: true, expires_at, reason: "why", owner: "web" }));
  return { name: "shop", exclusions } as unknown as PolicyRepresentation;
}

test("where all is well nothing is said", () => {
  expect(attention({ ...none, policies: [policy(null, "2026-02-10T00:00:00Z")] })).toEqual([]);
});

test("what is unproven or refused comes before what waits", () => {
  const found = attention({
    ...none,
    status: { ...status, unproven: ["shop"] },
    refused: [{ ...changeSet, id: "r", state: "refused" }],
    reviews: [{ ...changeSet, id: "w", state: "awaiting_approval" }],
    waiting: [{ ...changeSet, id: "m", state: "approved" }],
    policies: [policy("2026-01-09T00:00:00Z", "2026-01-12T00:00:00Z")],
  });
  expect(found.map(({ title }) => title)).toEqual([
    "shop is unproven",
    "Refused: why",
    "Awaits your approval: why",
    "Exclusion e0 of shop has ended",
    "Exclusion e1 of shop ends soon",
    "Approved, to be applied: why",
  ]);
  expect(found[0]).toMatchObject({ to: "/vhosts/shop", search: { tab: "proof" } });
});

test("many of one kind do not hide what else there is", () => {
  const items = attention({
    ...none,
    status: { ...status, unproven: Array.from({ length: 40 }, (_, at) => `site-${at}`) },
    refused: [{ ...changeSet, id: "r", state: "refused" }],
    reviews: [{ ...changeSet, id: "w", state: "awaiting_approval" }],
  });
  expect(items).toHaveLength(42);
  expect(few(items, 2).map(({ id }) => id)).toEqual(["unproven site-0", "unproven site-1", "r", "w"]);
});
