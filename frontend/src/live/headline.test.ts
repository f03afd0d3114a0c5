import type { Deployment } from "@guard-proxy/client";
import { expect, test } from "vitest";
import { deployment, status } from "@/test/server";
import { headline } from "./headline";

const at = (state: Deployment["state"]) => ({ ...deployment, state });

test("what is wrong comes before what is under way", () => {
  expect(headline(status)).toEqual({ tone: "good", words: "Revision 7 is live and proven" });
  const busy = { ...status, head: 8, current: false, deployment: at("applying") };
  expect(headline(busy)).toEqual({ tone: "busy", words: "Revision 8 is being applied" });
  expect(headline({ ...busy, deployment: at("retrying") }).tone).toBe("bad");
  expect(headline({ ...busy, refused: [{ revision: 6, deployment: "d", said: "no" }] }).words).toBe("Revision 6 refused");
  expect(headline({ ...busy, unproven: ["shop", "blog"] }).words).toBe("2 vhosts unproven");
  const emergency = {
    vhost: "shop",
    mode: "off" as const,
    until: "2026-01-01T00:00:00Z",
    reason: "night",
    author: "me",
    created_at: "2026-01-01T00:00:00Z",
  };
  expect(headline({ ...busy, mode_overrides: [emergency] }).words).toBe("1 vhost in emergency mode");
  expect(headline({ ...busy, deployment: null }).words).toBe("Revision 8 is on its way");
});
