import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http } from "msw";
import { expect, test } from "vitest";
import { draw } from "@/test/render";
import { answer, server, status } from "@/test/server";
import { Warnings } from "./Warnings";

test("many unproven vhosts hide no refused revision, and can all be found", async () => {
  const unproven = Array.from({ length: 40 }, (_, at) => `site-${at}`);
  const refused = [{ revision: 8, said: "bad rule", deployment: "d8" }];
  server.use(http.get("/api/v1/status", () => answer({ ...status, unproven, refused })));
  await draw(<Warnings />);
  const titles = (await screen.findAllByRole("alert")).map((alert) => alert.textContent);
  expect(titles[0]).toContain("Revision 8 was refused");
  expect(titles[1]).toContain("40 vhosts are unproven");
  expect(screen.queryByRole("link", { name: "site-39" })).not.toBeInTheDocument();
  await userEvent.click(screen.getByRole("button", { name: "Show all 40 vhosts" }));
  expect(screen.getByRole("link", { name: "site-39" })).toHaveAttribute("href", "/vhosts/site-39?tab=proof");
});

test("a refused revision leads to its deployment, and to the change sets that were refused", async () => {
  server.use(http.get("/api/v1/status", () => answer({ ...status, refused: [{ revision: 8, said: "bad rule", deployment: "d8" }] })));
  await draw(<Warnings />);
  expect(await screen.findByRole("link", { name: "Look at its deployment" })).toHaveAttribute("href", "/changes/deployments/d8");
  expect(screen.getByRole("link", { name: "mend it" })).toHaveAttribute("href", "/changes/mine?state=refused");
});
