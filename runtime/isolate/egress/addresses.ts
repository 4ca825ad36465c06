// Which addresses guests may not reach unless the operator opens private egress. Refused is everything that is
// not ordinary public unicast: what is reachable only from this machine or its network must not become
// reachable through a handler, and nothing else is worth connecting to.

import { BlockList, isIP } from "node:net";

// IANA's special-purpose registry for IPv4, multicast and class E.
const IPV4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8], // this host
  ["10.0.0.0", 8], // private
  ["100.64.0.0", 10], // carrier-grade NAT
  ["127.0.0.0", 8], // loopback
  ["169.254.0.0", 16], // link-local, and with it the clouds' metadata servers
  ["172.16.0.0", 12], // private
  ["192.0.0.0", 24], // protocol assignments
  ["192.0.2.0", 24], // documentation
  ["192.88.99.0", 24], // 6to4 relays
  ["192.168.0.0", 16], // private
  ["198.18.0.0", 15], // benchmarking
  ["198.51.100.0", 24], // documentation
  ["203.0.113.0", 24], // documentation
  ["224.0.0.0", 4], // multicast
  ["240.0.0.0", 4], // reserved, broadcast
];

// Outside 2000::/3 nothing is global unicast, except the two prefixes that stand for an IPv4 address (below).
const IPV6: readonly (readonly [string, number])[] = [
  ["::", 96], // unspecified, loopback, IPv4-compatible
  ["::ffff:0:0:0", 96], // IPv4-translated
  ["64:ff9b:1::", 48], // NAT64 inside one network
  ["100::", 8], // discard-only, and the rest of the block
  ["200::", 7], // reserved
  ["400::", 6], // reserved
  ["800::", 5], // reserved
  ["1000::", 4], // reserved
  ["2001::", 23], // protocol assignments: Teredo, ORCHID, benchmarking
  ["2001:db8::", 32], // documentation
  ["2002::", 16], // 6to4: carries any IPv4 address
  ["3fff::", 20], // documentation
  ["4000::", 2], // reserved
  ["8000::", 1], // unique-local, link-local, site-local, multicast and what is reserved between them
];

// They are as private as the IPv4 address in their last 32 bits: hosts behind NAT64 reach the public IPv4
// internet through the second one alone, so it cannot be refused as a whole.
const IPV4_IN_IPV6 = ["::ffff:", "64:ff9b::"];

function createBlockList(): BlockList {
  const list = new BlockList();
  for (const [network, bits] of IPV4) {
    list.addSubnet(network, bits, "ipv4");
    for (const prefix of IPV4_IN_IPV6) list.addSubnet(`${prefix}${network}`, 96 + bits, "ipv6");
  }
  for (const [network, bits] of IPV6) list.addSubnet(network, bits, "ipv6");
  return list;
}

const PRIVATE = createBlockList();

/** Takes an address as resolvers and the URL parser write it. What is no address counts as private. */
export function isPrivateAddress(address: string): boolean {
  const zone = address.indexOf("%");
  const bare = zone < 0 ? address : address.slice(0, zone);
  const family = isIP(bare);
  if (family === 0) return true;
  return PRIVATE.check(bare, family === 4 ? "ipv4" : "ipv6");
}
