import type { SealingKey } from "@guard-proxy/client";
import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http } from "msw";
import { expect, test, vi } from "vitest";
import { draw } from "@/test/render";
import { answer, me, server } from "@/test/server";
import { SettingsPage } from "./SettingsPage";

const primary: SealingKey = { id: "aaaaaaaaaaaaaaaa", state: "primary", authenticators: 1, signing_keys: 2 };
const old: SealingKey = { id: "bbbbbbbbbbbbbbbb", state: "old", authenticators: 3, signing_keys: 0 };
const lost: SealingKey = { id: "cccccccccccccccc", state: "missing", authenticators: 1, signing_keys: 0 };
const asked = vi.fn();
const sealsAnew = vi.fn();

function serve() {
  asked.mockClear();
  sealsAnew.mockClear();
  server.use(
    http.get("/ready", () => answer({ status: "ok", database: "up" })),
    http.get("/api/v1/keys", () => {
      asked();
      return answer({ items: [primary, old, lost], total: 3 });
    }),
    http.post("/api/v1/keys/reseal", () => {
      sealsAnew();
      return answer({ resealed: 3, items: [{ ...primary, authenticators: 4 }, { ...old, authenticators: 0 }, lost] });
    }),
  );
}

test("an old key that is still needed is sealed anew, after a question; then it can go", async () => {
  serve();
  await draw(<SettingsPage />);
  expect(await screen.findByText(/bbbbbbbbbbbbbbbb is still needed/)).toBeInTheDocument();
  expect(screen.getByText(/cccccccccccccccc is not in the settings/)).toBeInTheDocument();
  await userEvent.click(screen.getByRole("button", { name: "Seal anew" }));
  expect(sealsAnew).not.toHaveBeenCalled();
  const dialog = await screen.findByRole("dialog");
  await userEvent.click(dialog.querySelector("button[type=submit]") as HTMLElement);
  expect(await screen.findByText(/bbbbbbbbbbbbbbbb has sealed nothing that is there/)).toBeInTheDocument();
  expect(sealsAnew).toHaveBeenCalledOnce();
  await waitFor(() => expect(screen.getByRole("button", { name: "Seal anew" })).toHaveAttribute("aria-disabled", "true"));
});

test("who may not read settings does not ask for the keys", async () => {
  serve();
  server.use(http.get("/api/v1/auth/me", () => answer({ ...me, roles: [{ role: "editor" }] })));
  await draw(<SettingsPage />);
  expect(await screen.findByText(/To read settings wants the role admin/)).toBeInTheDocument();
  expect(asked).not.toHaveBeenCalled();
});
