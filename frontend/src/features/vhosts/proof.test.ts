import { expect, test } from "vitest";
import { readLine, readRow } from "./proof";

const ROW = "Bx|1.2.5.4.B|rs-1|t1|104857600|-|20.10|6";

test("a row says how requests are treated", () => {
  expect(readRow(ROW)).toEqual({
    mode: "block",
    levels: "1 blocks, 2 reports",
    thresholds: "5 inbound, 4 outbound",
    ruleSet: "rs-1",
    access: "t1",
    most: "104857600",
    rate: "20 in 10 s",
    revision: "6",
  });
  expect(readRow("something of a later version")).toBeUndefined();
});

test("a probe is told by what was asked, by whom, and what was seen", () => {
  const line = `canary from 192.0.2.1: 403 1.146 ${ROW} waf=1 acc=allow action=deny status=403 error= fault= rules=100003,949110 score=5 rev=6d client=192.0.2.1`;
  expect(readLine(line)).toEqual({
    kind: "seen",
    seen: {
      what: "canary",
      client: "192.0.2.1",
      status: "403",
      passed: false,
      row: ROW,
      asked: true,
      access: "allow",
      score: "5",
      rules: ["100003", "949110"],
      fault: "",
    },
  });
  expect(readLine("canary of /api/ from 2001:db8::1: 200 passed 1.1 D|x waf=1")).toMatchObject({
    seen: { what: "canary of /api/", client: "2001:db8::1", passed: true, row: "D|x" },
  });
  expect(readLine("client told by 10.0.0.1: 403 1.1 B|x waf=1")).toMatchObject({ seen: { what: "client told", client: "10.0.0.1" } });
});

test("what was expected and not seen is told apart; other words stay words", () => {
  expect(readLine("expected: 403, deny, and the marker rule; seen: 200 1.1 D|x waf=")).toEqual({
    kind: "wrong",
    expected: "403, deny, and the marker rule",
    saw: "200 1.1 D|x waf=",
  });
  expect(readLine("the agent does not know the rule set")).toEqual({ kind: "words", words: "the agent does not know the rule set" });
});
