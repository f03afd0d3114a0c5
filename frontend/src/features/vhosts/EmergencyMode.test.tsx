import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http } from "msw";
import { expect, test } from "vitest";
import { draw } from "@/test/render";
import { answer, problem, server } from "@/test/server";
import { EmergencyMode } from "./EmergencyMode";

test("a vhost is put into emergency mode with a reason and an end; what the server refuses is said", async () => {
  const sent: { mode: string; until: string; reason: string }[] = [];
  server.use(
    http.put("/api/v1/vhosts/shop/mode-override", async ({ request }) => {
      sent.push((await request.json()) as (typeof sent)[number]);
      if (sent.length === 1) return problem({ code: "forbidden", status: 403, title: "Not allowed" });
      return answer({ ...sent[0], vhost: "shop", author: "user:ada@example.com", created_at: "2026-01-01T00:00:00Z" });
    }),
  );
  await draw(<EmergencyMode vhost="shop" current={null} />);
  await userEvent.click(await screen.findByRole("button", { name: "Emergency mode" }));
  const go = await screen.findByRole("button", { name: "Put it into emergency mode" });
  await userEvent.type(screen.getByLabelText(/Why/), "the shop is down");
  await userEvent.click(go);
  expect(await screen.findByText("Not allowed")).toBeInTheDocument();
  await userEvent.click(go);
  await waitFor(() => expect(screen.queryByRole("button", { name: "Put it into emergency mode" })).not.toBeInTheDocument());
  expect(sent[1]).toMatchObject({ mode: "detect", reason: "the shop is down" });
  const minutes = (Date.parse(sent[1]?.until ?? "") - Date.now()) / 60_000;
  expect(minutes).toBeGreaterThan(28);
  expect(minutes).toBeLessThan(31);
});

test("one in force is loud, and can be ended", async () => {
  let ended = 0;
  server.use(
    http.delete("/api/v1/vhosts/shop/mode-override", () => {
      ended += 1;
      return new Response(null, { status: 204 });
    }),
  );
  const current = {
    vhost: "shop",
    mode: "off" as const,
    until: "2999-01-01T00:00:00Z",
    reason: "night",
    author: "user:ada@example.com",
    created_at: "2026-01-01T00:00:00Z",
  };
  await draw(<EmergencyMode vhost="shop" current={current} />);
  expect(await screen.findByText("Emergency mode: off")).toBeInTheDocument();
  await userEvent.click(screen.getByRole("button", { name: "End it now" }));
  await waitFor(() => expect(ended).toBe(1));
});
