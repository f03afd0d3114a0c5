import type { Deployment } from "@guard-proxy/client";
import { expect, test } from "vitest";
import { deployment, status } from "@/test/server";
import { progress } from "./use-deployment";

const at = (revision: number, state: Deployment["state"]) => ({ ...deployment, revision, state });

test("a revision is live where a deployment that contains it is", () => {
  expect(progress(8, status, []).end).toBeUndefined();
  expect(progress(8, status, [at(8, "applying")])).toMatchObject({ end: undefined, deployment: { state: "applying" } });
  expect(progress(8, status, [at(9, "live"), at(8, "superseded")]).end).toBe("live");
  expect(progress(7, status, []).end).toBe("live");
});

test("one that was taken back is refused, though later ones are live", () => {
  const later = { ...status, live: 9, head: 9, refused: [{ revision: 8, deployment: "d", said: "no" }] };
  expect(progress(8, later, [at(9, "live"), at(8, "refused")])).toMatchObject({ end: "refused", said: "no", deployment: { revision: 8 } });
  expect(progress(8, { ...status, live: 9 }, [at(9, "live"), { ...at(8, "refused"), said: "its words" }])).toMatchObject({
    end: "refused",
    said: "its words",
  });
});
