import { expect, test } from "vitest";
import { namesHost, parseEgressHost } from "./egress.ts";

test.each([
  ["db.internal", "db.internal"],
  ["DB.Internal:5432", "db.internal:5432"],
  ["10.0.0.5:80", "10.0.0.5:80"],
  ["127.1", "127.0.0.1"],
  ["[::1]:8080", "[::1]:8080"],
  ["[0:0:0:0:0:0:0:1]", "[::1]"],
  ["bücher.example", "xn--bcher-kva.example"],
  ["a:1", "a:1"],
  ["a:65535", "a:65535"],
])("egress host %s is %s", (text, host) => {
  expect(parseEgressHost(text)).toBe(host);
});

const NONE = ` |a b|http://a|a/b|a:|a:0|a:65536|a:b|a:80:81|u@a|::1|[::1|[x]|*|*.a|a?b|a#b|a\\b|300.1.1.1`;

test.each(["", ...NONE.split("|")])("%j names no egress host", (text) => {
  expect(parseEgressHost(text)).toBeNull();
});

test("a host is named with every port, or with one", () => {
  const hosts = new Set(["any.internal", "one.internal:81"]);
  expect(namesHost(hosts, "any.internal", 5)).toBe(true);
  expect(namesHost(hosts, "one.internal", 81)).toBe(true);
  expect(namesHost(hosts, "one.internal", 80)).toBe(false);
  expect(namesHost(hosts, "internal", 81)).toBe(false);
  expect(namesHost(hosts, "x.any.internal", 5)).toBe(false);
});
