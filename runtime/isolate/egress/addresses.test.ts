import { expect, test } from "vitest";
import { isPrivateAddress } from "./addresses.ts";

test.each([
  ["0.0.0.0", "0.255.255.255", "1.0.0.0"],
  ["10.0.0.0", "10.255.255.255", "11.0.0.0"],
  ["100.64.0.0", "100.127.255.255", "100.128.0.0"],
  ["127.0.0.0", "127.255.255.255", "128.0.0.0"],
  ["169.254.0.0", "169.254.255.255", "169.255.0.0"],
  ["172.16.0.0", "172.31.255.255", "172.32.0.0"],
  ["192.0.0.0", "192.0.0.255", "192.0.1.0"],
  ["192.0.2.0", "192.0.2.255", "192.0.3.0"],
  ["192.88.99.0", "192.88.99.255", "192.88.100.0"],
  ["192.168.0.0", "192.168.255.255", "192.169.0.0"],
  ["198.18.0.0", "198.19.255.255", "198.20.0.0"],
  ["198.51.100.0", "198.51.100.255", "198.51.101.0"],
  ["203.0.113.0", "203.0.113.255", "203.0.114.0"],
])("%s to %s is private, %s is not, also inside IPv6", (first, last, after) => {
  for (const prefix of ["", "::ffff:", "64:ff9b::"]) {
    expect(isPrivateAddress(prefix + first)).toBe(true);
    expect(isPrivateAddress(prefix + last)).toBe(true);
    expect(isPrivateAddress(prefix + after)).toBe(false);
  }
});

test.each([
  "224.0.0.1",
  "239.255.255.255",
  "240.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::7f00:1",
  "::ffff:0:7f00:1",
  "64:ff9b:1::1",
  "100::1",
  "2001::1",
  "2001:2::1",
  "2001:db8::1",
  "2002:808:808::1",
  "3fff::1",
  "4000::1",
  "fc00::1",
  "fdff:ffff::1",
  "fe80::1",
  "fe80::1%eth0",
  "fec0::1",
  "ff02::1",
])("%s is private", (address) => {
  expect(isPrivateAddress(address)).toBe(true);
});

test.each(["1.1.1.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "2001:4860::8888"])(
  "%s is public",
  (address) => {
    expect(isPrivateAddress(address)).toBe(false);
  },
);

test.each(["", "localhost", "1.2.3", "1.2.3.4.5", "::g"])("%j is no address", (address) => {
  expect(isPrivateAddress(address)).toBe(true);
});
