// The header of the PROXY protocol, versions 1 (a line) and 2 (binary), in which a proxy in front says whose connection
// it hands on. Nothing is guessed at: what does not begin with a whole, valid header is none.

import { isIPv4, isIPv6 } from "node:net";
import { addressText } from "../address.ts";

/** The specification's own bound for version 1, with its line end. */
export const LINE_BYTES_MAX = 107;
/** Version 2 may say 64 KB; addresses take 36 bytes, what is said beside them some hundred. */
export const BINARY_BYTES_MAX: number = 16 + 2_048;

const LINE_START: Buffer = Buffer.from("PROXY ");
const SIGNATURE: Buffer = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const BINARY_HEAD_BYTES = 16;
const PORT = /^(?:0|[1-9]\d{0,4})$/;
const PORT_MAX = 65_535;

const IPV4_BYTES = 12;
const IPV6_BYTES = 36;
const UNIX_BYTES = 216;

export type ProxyHeader =
  /** It is not whole yet. */
  | { readonly kind: "more" }
  | { readonly kind: "bad"; readonly reason: string }
  /** `address`: null where the proxy speaks for itself, or does not know. */
  | { readonly kind: "whole"; readonly bytes: number; readonly address: string | null };

const MORE: ProxyHeader = { kind: "more" };

/** `bytes`: all that has come on the connection. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (bytes.length === 0) return MORE;
  if (startsAs(bytes, SIGNATURE)) return parseBinary(bytes);
  return startsAs(bytes, LINE_START) ? parseLine(bytes) : bad("it begins with something else");
}

/** As far as both go. */
function startsAs(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.subarray(0, length).equals(start.subarray(0, length));
}

function parseLine(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, LINE_BYTES_MAX).indexOf("\r\n");
  if (end < 0) return bytes.length < LINE_BYTES_MAX ? MORE : bad("its line is too long");
  const length = end + 2;
  const [, family = "", ...rest] = bytes.toString("latin1", 0, end).split(" ");
  if (family === "UNKNOWN") return { kind: "whole", bytes: length, address: null };
  const [source = "", destination = "", ...ports] = rest;
  const isAddress = family === "TCP4" ? isIPv4 : family === "TCP6" ? isIPv6 : null;
  if (isAddress === null) return bad("its protocol is none of TCP4, TCP6 and UNKNOWN");
  if (!isAddress(source) || !isAddress(destination) || source.includes("%")) {
    return bad(`its addresses are none of ${family}`);
  }
  if (ports.length !== 2 || !ports.every(isPort)) return bad("its ports are none");
  return { kind: "whole", bytes: length, address: addressText(source) };
}

function isPort(text: string): boolean {
  return PORT.test(text) && Number(text) <= PORT_MAX;
}

function parseBinary(bytes: Buffer): ProxyHeader {
  if (bytes.length < BINARY_HEAD_BYTES) return MORE;
  const command = bytes.readUInt8(12);
  const family = bytes.readUInt8(13);
  const rest = bytes.readUInt16BE(14);
  const length = BINARY_HEAD_BYTES + rest;
  if (command !== 0x20 && command !== 0x21) return bad("its version or command is unknown");
  if (length > BINARY_BYTES_MAX) return bad("it is too long");
  const size = sizeOf(family);
  if (size === null) return bad("its protocol is none over a stream");
  if (command === 0x21 && rest < size) return bad("it is shorter than its addresses");
  if (bytes.length < length) return MORE;
  // LOCAL: the proxy's own, to see whether anybody is there.
  const address = command === 0x20 ? null : sourceOf(bytes, family);
  return { kind: "whole", bytes: length, address };
}

/** Of both addresses and ports; null: not taken. */
function sizeOf(family: number): number | null {
  switch (family) {
    case 0x00:
      return 0;
    case 0x11:
      return IPV4_BYTES;
    case 0x21:
      return IPV6_BYTES;
    case 0x31:
      return UNIX_BYTES;
    default:
      return null;
  }
}

/** null: it is none that a client could be told by. */
function sourceOf(bytes: Buffer, family: number): string | null {
  if (family === 0x11) return [...bytes.subarray(16, 20)].join(".");
  if (family !== 0x21) return null;
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(16 + 2 * at).toString(16));
  return addressText(groups.join(":"));
}

function bad(reason: string): ProxyHeader {
  return { kind: "bad", reason };
}
