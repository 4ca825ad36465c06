import { expect, test } from "vitest";
import { addressBits, createNetworkTest, isCidr } from "./cidr.ts";

test.each([
  "10.0.0.0/8",
  "10.1.2.3",
  "::1",
  "2001:db8::/32",
  "::ffff:10.0.0.1",
  "::/0",
  "0.0.0.0/0",
])("%s is a network", (text) => expect(isCidr(text)).toBe(true));

test.each([
  "",
  "10.0.0.0/33",
  "256.0.0.1",
  "10.0.0",
  "::1/129",
  "1::2::3",
  "a.b.c.d",
  "1:2:3:4:5:6:7:8:9",
  "1/8",
  "10.0.0.0/8/8",
  "12345::",
])("%s is none", (text) => expect(isCidr(text)).toBe(false));

test("a network holds its first and its last address, and neither neighbour", () => {
  const within = createNetworkTest(["10.0.0.0/8", "2001:db8::/33"]);
  expect(["10.0.0.0", "10.255.255.255", "2001:db8::", "2001:db8:7fff::1"].every(within)).toBe(true);
  expect(["9.255.255.255", "11.0.0.0", "2001:db8:8000::", "::1"].some(within)).toBe(false);
});

test("an IPv4 address is the same in its IPv6 form", () => {
  expect(createNetworkTest(["10.0.0.0/8"])("::ffff:10.1.2.3")).toBe(true);
  expect(addressBits("::ffff:1.2.3.4")).toBe(addressBits("1.2.3.4"));
  expect(createNetworkTest(["0.0.0.0/0"])("::1")).toBe(false);
});

test("no networks hold nothing, and what is no address is in none", () => {
  expect(createNetworkTest([])("10.0.0.1")).toBe(false);
  expect(createNetworkTest(["::/0"])("")).toBe(false);
});
