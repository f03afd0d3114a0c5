import type { ServerStatus } from "@guard-proxy/client";
import { screen, within } from "@testing-library/react";
import { http } from "msw";
import { expect, test } from "vitest";
import { draw } from "@/test/render";
import { answer, problem, server } from "@/test/server";
import { vhost } from "@/test/vhost";
import { UpstreamTab } from "./UpstreamTab";

const PATH = "/api/v1/vhosts/shop/upstream/status";
const down: ServerStatus = {
  name: "a",
  address: "192.0.2.10:8080",
  state: "down",
  in_state_s: 180,
  check: { said: "Layer7 wrong status: Sick", code: 503, took_ms: 2 },
  sessions: 3,
  requests: 4012,
  connect_errors: 7,
  response_errors: 5,
};
const checked = {
  ...vhost,
  upstream: {
    ...vhost.upstream,
    servers: [...vhost.upstream.servers, { name: "b", address: "192.0.2.11", port: 8080, weight: 100, backup: false }],
    health_check: { path: "/", interval_ms: 2_000, rise: 2, fall: 3, expect_status: "200-399" },
  },
};

test("each server has its state, since when, and what its last check said, with its requests", async () => {
  server.use(http.get(PATH, () => answer({ items: [down], total: 1 })));
  await draw(<UpstreamTab vhost={checked} />);
  const row = (await screen.findByText("Layer7 wrong status: Sick, 503, 2 ms")).closest("tr") as HTMLElement;
  expect(within(row).getByText("192.0.2.10:8080")).toBeInTheDocument();
  expect(within(row).getByText("down")).toBeInTheDocument();
  expect(within(row).getByText("3 minutes ago")).toBeInTheDocument();
  const counts = within(row).getAllByRole("cell").slice(-4);
  expect(counts.map((cell) => cell.textContent)).toEqual(["4,012", "3", "7", "5"]);
  // HAProxy does not have it yet.
  expect(screen.getByRole("row", { name: /^b .* not live yet$/ })).toBeInTheDocument();
});

test("what is configured is shown where HAProxy does not answer", async () => {
  server.use(http.get(PATH, () => problem({ code: "unavailable", status: 503, title: "Away" })));
  await draw(<UpstreamTab vhost={checked} />);
  expect(await screen.findByRole("alert")).toHaveTextContent("Away");
  expect(screen.getByText("192.0.2.10:8080")).toBeInTheDocument();
});
