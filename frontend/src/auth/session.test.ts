import { getStatus } from "@guard-proxy/client";
import { http } from "msw";
import { expect, test } from "vitest";
import { call } from "@/lib/api";
import { answer, me, problem, server, status } from "@/test/server";
import { session } from "./session";

const body = (access_token: string) => ({ access_token, expires_in: 300, session: "s", token_type: "Bearer", user: me });

test("a token that is refused is renewed once, for all requests that were refused with it", async () => {
  session.take(body("old") as never);
  let renewed = 0;
  server.use(
    http.get("/api/v1/status", ({ request }) =>
      request.headers.get("authorization") === "Bearer new" ? answer(status) : problem({ code: "unauthenticated", status: 401 }),
    ),
    http.post("/api/v1/auth/refresh", () => {
      renewed += 1;
      return answer(body("new"));
    }),
  );
  const both = await Promise.all([call(getStatus()), call(getStatus())]);
  expect(both.map(({ live }) => live)).toEqual([7, 7]);
  expect(renewed).toBe(1);
  expect(session.token()).toBe("new");
});

test("where the cookie is good no more the session is over", async () => {
  session.take(body("old") as never);
  server.use(http.get("/api/v1/status", () => problem({ code: "unauthenticated", status: 401 })));
  await expect(call(getStatus())).rejects.toMatchObject({ code: "unauthenticated" });
  expect(session.get()).toEqual({ status: "out", why: "expired" });
});
