import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http } from "msw";
import { expect, test } from "vitest";
import { draw } from "@/test/render";
import { answer, server } from "@/test/server";
import { place, VerifyModal } from "./VerifyModal";
import { ACTIONS, flood, isBad } from "./words";

const hash = "a".repeat(64);

test("a flood's sum is told from what is one row", () => {
  expect(flood({ after: { more: 41, from: "2026-01-01T00:00:00Z", to: "2026-01-01T00:00:59Z" } })).toMatchObject({ more: 41 });
  expect(flood({ after: { mode: "block" } })).toBeUndefined();
  expect(flood({ after: null })).toBeUndefined();
});

test("what the server logs by a name of its own can be chosen in the filter", () => {
  const source = join(process.cwd(), "../src");
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter(
    (name) => name.endsWith(".rs") && !/\btests\b/.test(name),
  );
  const logged = files.flatMap((name) => {
    const text = readFileSync(join(source, name), "utf8");
    return [...text.matchAll(/(?:\b(?:note|note_sso|caller, event)\(|\bAuditEvent \{\s*action:)\s*"([a-z_.]+)"/g)].map(
      ([, action]) => action ?? "",
    );
  });
  expect(logged).toContain("session_reused");
  expect(logged.filter((action) => !ACTIONS.includes(action))).toEqual([]);
});

test("a stolen cookie and refused sign-ins stand out", () => {
  expect(ACTIONS.filter(isBad)).toEqual(["take_back", "deployment.refused", "denied", "sign_in_failed", "session_reused", "sso_failed"]);
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
