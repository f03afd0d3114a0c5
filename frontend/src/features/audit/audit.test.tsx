import { readFileSync } from "node:fs";
import { join } from "node:path";
import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http } from "msw";
import { expect, test } from "vitest";
import { draw } from "@/test/render";
import { answer, server } from "@/test/server";
import { place, VerifyModal } from "./VerifyModal";
import { ACTIONS, AUDIT_KINDS, flood, isBad } from "./words";

const hash = "a".repeat(64);

test("a flood's sum is told from what is one row", () => {
  expect(flood({ after: { more: 41, from: "2026-01-01T00:00:00Z", to: "2026-01-01T00:00:59Z" } })).toMatchObject({ more: 41 });
  expect(flood({ after: { mode: "block" } })).toBeUndefined();
  expect(flood({ after: null })).toBeUndefined();
});

test("the filters offer what docs/audit.md says is logged", () => {
  const rows =
    readFileSync(join(process.cwd(), "../docs/audit.md"), "utf8")
      .split("\n| fault")[0]
      ?.matchAll(/^\| (`.*?) \| (`.*?) \|/gm) ?? [];
  const named = (cell = "") => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? "");
  const logged = [...rows].map(([, actions, kinds]) => {
    const [first = "", ...more] = named(actions);
    // `change_set.submitted`, `.approved`
    return { actions: [first, ...more.map((name) => (name.startsWith(".") ? first.replace(/\..*/, name) : name))], kinds: named(kinds) };
  });
  const sorted = (all: string[]) => [...new Set(all)].sort();
  expect(sorted(ACTIONS)).toEqual(sorted(logged.flatMap(({ actions }) => actions)));
  expect(sorted(AUDIT_KINDS)).toEqual(sorted(logged.flatMap(({ kinds }) => kinds)));
});

test("a stolen cookie and refused sign-ins stand out", () => {
  expect(ACTIONS.filter(isBad)).toEqual([
    "take_back",
    "deployment.refused",
    "denied",
    "sign_in_failed",
    "sign_in_limited",
    "session_reused",
    "confirmation_failed",
    "confirmation_limited",
    "sso_failed",
  ]);
});

test("a place is an id and a hash", () => {
  expect(place(` 12:${hash} `)).toEqual({ after_id: 12, after_hash: hash });
  expect(place("12:abc")).toBeUndefined();
});

test("the chain is looked at to its end, and what is wrong with it is loud", async () => {
  const asked: string[] = [];
  server.use(
    http.get("/api/v1/audit/verify", ({ request }) => {
      const after = new URL(request.url).searchParams.get("after_id") ?? "";
      asked.push(after);
      const last = { id: after ? 7 : 5, hash };
      return after
        ? answer({ ok: false, complete: false, checked: 2, last, broken: { id: 8, fault: "changed", detail: "Its hash is another." } })
        : answer({ ok: true, complete: false, checked: 5, last, broken: null });
    }),
  );
  await draw(<VerifyModal onClose={() => {}} />);
  await userEvent.click(screen.getByRole("button", { name: "Verify" }));
  expect(await screen.findByText(/Row 8: A row is not what was written/)).toBeInTheDocument();
  expect(screen.getByText(/7 rows before it are good/)).toBeInTheDocument();
  expect(screen.getByText(`7:${hash}`)).toBeInTheDocument();
  expect(asked).toEqual(["", "5"]);
});
