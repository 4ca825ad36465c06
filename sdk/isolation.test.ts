import { expect, test } from "vitest";
import { cordonOf, parseIsolation } from "./isolation.ts";

test.each(["shared", "dedicated", "group:a", "group:payments-2", `group:${"a".repeat(63)}`])(
  "%s is a form of isolation",
  (text) => {
    expect(parseIsolation(text)).toBe(text);
  },
);

test.each([
  "",
  "Shared",
  "request",
  "group",
  "group:",
  "group:A",
  "group:-a",
  "group:a-",
  "group:a b",
  "group:a/../b",
  "group:a\n",
  "dedicated:a",
  `group:${"a".repeat(64)}`,
])("%j is no form of isolation", (text) => {
  expect(parseIsolation(text)).toBeNull();
});

test("endpoints of a group have one cordon, a dedicated endpoint has its own, a shared one none", () => {
  expect(cordonOf({ name: "a" })).toBeNull();
  expect(cordonOf({ name: "a", isolation: "shared" })).toBeNull();
  expect(cordonOf({ name: "a", isolation: "group:x" })).toBe("group:x");
  expect(cordonOf({ name: "b", isolation: "group:x" })).toBe("group:x");
  expect(cordonOf({ name: "x", isolation: "dedicated" })).toBe("endpoint:x");
});
