import type { VhostStatus } from "@guard-proxy/client";
import { screen, within } from "@testing-library/react";
import { http } from "msw";
import { expect, test } from "vitest";
import { draw } from "@/test/render";
import { answer, server } from "@/test/server";
import { ProofTab } from "./ProofTab";

const ROW = "B|1.2.5.4.B|rs-1|-|104857600|-|-|6";
const status: VhostStatus = {
  vhost: "shop",
  revision: 6,
  live_revision: 6,
  live: true,
  mode_override: null,
  state: "unproven",
  proof: {
    vhost: "shop",
    state: "unproven",
    revision: 6,
    at: "2026-01-01T00:00:00Z",
    host: "shop.example.com",
    row: ROW,
    seen: [
      `canary from 192.0.2.1: 200 passed 1.1 ${ROW.replace("B", "D")} waf=1 acc= rules=100003 score=5`,
      "expected: 403, deny, and the marker rule; seen: 200 1.1 D|x",
    ],
  },
};

const at = (over: Partial<VhostStatus>) => server.use(http.get("/api/v1/vhosts/shop/status", () => answer({ ...status, ...over })));

test("what was expected stands beside what was seen", async () => {
  at({});
  await draw(<ProofTab vhost="shop" />);
  const alert = await screen.findByRole("alert");
  expect(within(alert).getByText("403, deny, and the marker rule")).toBeInTheDocument();
  expect(within(alert).getByText("200 1.1 D|x")).toBeInTheDocument();
  const probes = screen.getByRole("table", { name: "Probes" });
  expect(within(probes).getByText("200, passed")).toBeInTheDocument();
  expect(within(probes).getByText(ROW.replace("B", "D"))).toBeInTheDocument();
});

test("not live yet and not probed yet are said", async () => {
  at({ state: "unprobed", live: false, live_revision: 5, proof: null });
  await draw(<ProofTab vhost="shop" />);
  expect(await screen.findByText("Not probed yet")).toBeInTheDocument();
  expect(screen.getByText(/Changed in revision 6, which is not live yet/)).toBeInTheDocument();
});
