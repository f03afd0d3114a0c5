import type { TrafficPoint } from "@guard-proxy/client";
import { screen, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { http } from "msw";
import { expect, test } from "vitest";
import { draw } from "@/test/render";
import { answer, problem, server } from "@/test/server";
import { TrafficPart } from "./TrafficPart";

const NONE = { forwarded: 0, server_errors: 0, inspected: 0, blocked: 0, detected: 0, failed: 0 };
/** So many minutes ago. */
const point = (minutes: number, over: Partial<TrafficPoint> = {}): TrafficPoint => ({
  at: new Date((Math.floor(Date.now() / 60_000) - minutes) * 60_000).toISOString(),
  ...NONE,
  ...over,
});
const told = (points: TrafficPoint[]) => server.use(http.get("/api/v1/traffic", () => answer({ step_s: 60, points })));

test("each count has its bars, said in words, and all numbers are in a table", async () => {
  told([point(30, { forwarded: 1200, inspected: 1203, blocked: 3 }), point(1), point(0, { forwarded: 40, inspected: 40 })]);
  await draw(<TrafficPart />);
  const blocked = await screen.findByRole("img", { name: "By the minute. Blocked: 3, at most 3 in a minute" });
  // A minute without traffic is a line; those that were not observed have nothing.
  expect(Array.from(blocked.querySelectorAll("rect"), (bar) => [bar.getAttribute("x"), bar.getAttribute("height")])).toEqual([
    ["29", "20"],
    ["58", "1"],
    ["59", "1"],
  ]);
  expect(screen.getByText("Forwarded: 1,240, at most 1,200 in a minute")).toBeInTheDocument();
  expect(screen.getByText("Detected, not blocked: 0")).toBeInTheDocument();
  expect(screen.queryByText(/Without a verdict|5xx:/)).not.toBeInTheDocument();

  await userEvent.click(screen.getByText("Numbers"));
  const rows = within(screen.getByRole("table", { name: "Requests by the minute" })).getAllByRole("row");
  expect(
    within(rows[3] as HTMLElement)
      .getAllByRole("cell")
      .map((cell) => cell.textContent)
      .slice(1),
  ).toEqual(["1,200", "0", "1,203", "3", "0", "0"]);
});

test("what went wrong has bars where it did", async () => {
  told([point(0, { forwarded: 5, server_errors: 5, failed: 2 })]);
  await draw(<TrafficPart />);
  expect(await screen.findByRole("img", { name: /Answered with 5xx: 5,/ })).toBeInTheDocument();
  expect(screen.getByRole("img", { name: /Without a verdict: 2,/ })).toBeInTheDocument();
});

test("an hour without traffic is said, and of a vhost its own is asked for", async () => {
  server.use(http.get("/api/v1/vhosts/shop/traffic", () => answer({ step_s: 60, points: [point(1), point(0)] })));
  await draw(<TrafficPart vhost="shop" />);
  expect(await screen.findByText("No traffic in the last hour")).toBeInTheDocument();
  expect(screen.queryByRole("img")).not.toBeInTheDocument();
});

test("what cannot be read is said", async () => {
  server.use(http.get("/api/v1/traffic", () => problem({ code: "forbidden", status: 403, title: "Forbidden" })));
  await draw(<TrafficPart />);
  expect(await screen.findByRole("alert")).toHaveTextContent("Forbidden");
});
