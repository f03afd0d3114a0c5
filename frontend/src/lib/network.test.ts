import { expect, test } from "vitest";
import { covers, isAddress, isNetwork } from "./network";

test("addresses and networks are told from text", () => {
  for (const text of ["192.0.2.7", "2001:db8::1", "::", "::ffff:192.0.2.7", " 192.0.2.7 "]) expect(isAddress(text), text).toBe(true);
  for (const text of ["192.0.2", "192.0.2.256", "a", "2001:db8:::1", "1:2:3:4:5:6:7:8:9", "::1.2.3", ""])
    expect(isAddress(text), text).toBe(false);
  for (const text of ["192.0.2.0/24", "::/0", "192.0.2.7"]) expect(isNetwork(text), text).toBe(true);
  for (const text of ["192.0.2.0/33", "::/129", "192.0.2.0/", "192.0.2.0/24/1", "/8"]) expect(isNetwork(text), text).toBe(false);
});

test("who is in a network", () => {
  expect(covers("192.0.2.0/24", "192.0.2.7")).toBe(true);
  expect(covers("192.0.2.0/24", "192.0.3.7")).toBe(false);
  expect(covers("0.0.0.0/0", "192.0.3.7")).toBe(true);
  expect(covers("192.0.2.7", "192.0.2.7")).toBe(true);
  expect(covers("2001:db8::/32", "2001:db8:1::7")).toBe(true);
  expect(covers("2001:db8::/32", "2001:db9::7")).toBe(false);
  expect(covers("192.0.2.0/24", "::ffff:192.0.2.7")).toBe(true);
  expect(covers("::/0", "192.0.2.7")).toBe(false);
  expect(covers("nothing", "192.0.2.7")).toBe(false);
});
