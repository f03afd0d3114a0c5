import type { QueryClient } from "@tanstack/react-query";
import { useLocation } from "@tanstack/react-router";
import { keys, OBJECTS } from "@/lib/keys";
import { sendThrough } from "./request";

/**
 * The change set that one works in: pages show objects as it has them, and what is saved is staged in it. It is in the page's address, so each
 * tab has its own, and goes from there into every request about objects: no page has to think of it.
 */
export type Working = { change_set?: string | undefined };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function workingSearch({ change_set }: Record<string, unknown>): Working {
  return typeof change_set === "string" && UUID.test(change_set) ? { change_set } : {};
}

export function useWorking(): string | undefined {
  return workingSearch(useLocation().search).change_set;
}

/** All that only those who work in a change set need. */
export const loadWorking = () => import("./Working");

/**
 * At another address. What was read through another change set, or none, is forgotten, and read anew where it is shown: the address is there
 * before this, and what is drawn by it may have found the old.
 */
export function work({ change_set }: Working, queries: QueryClient) {
  if (sendThrough(change_set)) for (const resource of OBJECTS) void queries.resetQueries({ queryKey: keys.all(resource) });
}
