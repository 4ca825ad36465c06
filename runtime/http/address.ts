// The peer's address in one spelling, whatever the listener's own is: IPv4 also where the socket is a dual one,
// IPv6 in its short form (RFC 5952).

import { isIPv6 } from "node:net";

const MAPPED = /^(?:::ffff:|(?:0{1,4}:){5}ffff:)/i;
const HEX_PAIR = /^([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i;

export function addressText(address: string): string {
  if (!address.includes(":") || !isIPv6(address)) return address;
  const mapped = MAPPED.exec(address);
  if (mapped === null) return new URL(`http://[${address.split("%")[0]}]`).hostname.slice(1, -1);
  const last = address.slice(mapped[0].length);
  const pair = HEX_PAIR.exec(last);
  if (pair === null) return last;
  const [high, low] = [Number.parseInt(pair[1] ?? "", 16), Number.parseInt(pair[2] ?? "", 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}
