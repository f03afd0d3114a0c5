import { Problem, type ProblemBody } from "@guard-proxy/client";
import { expect, test, vi } from "vitest";
import { applyProblem } from "./apply-problem";

function refused(...errors: [string, string][]) {
  return new Problem({
    type: "",
    code: "invalid",
    status: 422,
    title: "Invalid",
    detail: "",
    request_id: "",
    errors: errors.map(([pointer, detail]) => ({ pointer, detail, code: "x" })) as ProblemBody["errors"],
  });
}

const values = { hostnames: ["a"], upstream: { servers: [{ port: 1 }] }, "a/b": "" };

test("errors are shown at the fields that they point to, and what has none is left", () => {
  const setFieldError = vi.fn();
  const error = refused(
    ["/upstream/servers/0/port", "Too high."],
    ["/hostnames/4", "Taken."],
    ["/hostnames/5", "Wrong."],
    ["/a~1b", "No."],
    ["", "The whole is wrong."],
    ["/unknown", "Who knows."],
  );
  const left = applyProblem({ setFieldError, getValues: () => values }, error);
  expect(setFieldError.mock.calls).toEqual([
    ["upstream.servers.0.port", "Too high."],
    ["hostnames", "Taken. Wrong."],
    ["a/b", "No."],
  ]);
  expect(left.map((one) => one.detail)).toEqual(["The whole is wrong.", "Who knows."]);
});

test("pointers from the root are taken as the object's", () => {
  const setFieldError = vi.fn();
  applyProblem({ setFieldError, getValues: () => values }, refused(["/vhosts/shop/hostnames/0", "Taken."]), { root: "/vhosts/shop" });
  expect(setFieldError).toHaveBeenCalledWith("hostnames.0", "Taken.");
});
