import { expect, test } from "vitest";
import { BINARY_BYTES_MAX, LINE_BYTES_MAX, parseProxyHeader } from "./proxy-header.ts";

const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");

function binary(command: number, family: number, rest: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt8(command, 0);
  head.writeUInt8(family, 1);
  head.writeUInt16BE(rest.length, 2);
  return Buffer.concat([SIGNATURE, head, rest]);
}

const IPV4 = Buffer.from([203, 0, 113, 7, 10, 0, 0, 1, 0x12, 0x34, 0, 80]);
const IPV6 = Buffer.from(`20010db8${"0".repeat(22)}05${"0".repeat(32)}12340050`, "hex");

test.each([
  ["PROXY TCP4 203.0.113.7 10.0.0.1 4660 80\r\n", "203.0.113.7"],
  ["PROXY TCP6 2001:db8:0:0::5 ::1 0 65535\r\n", "2001:db8::5"],
  ["PROXY TCP6 ::ffff:203.0.113.7 ::1 1 2\r\n", "203.0.113.7"],
  ["PROXY UNKNOWN\r\n", null],
  ["PROXY UNKNOWN and whatever else\r\n", null],
])("line %j", (line, address) => {
  const bytes = Buffer.from(`${line}GET /`);
  expect(parseProxyHeader(bytes)).toEqual({ kind: "whole", bytes: line.length, address });
});

test.each([
  [binary(0x21, 0x11, IPV4), "203.0.113.7"],
  [binary(0x21, 0x21, IPV6), "2001:db8::5"],
  [binary(0x21, 0x11, Buffer.concat([IPV4, Buffer.from([4, 0, 1, 9])])), "203.0.113.7"],
  [binary(0x21, 0x31, Buffer.alloc(216)), null],
  [binary(0x21, 0x00, Buffer.alloc(0)), null],
  [binary(0x20, 0x00, Buffer.alloc(0)), null],
  [binary(0x20, 0x11, IPV4), null],
])("binary header %#", (bytes, address) => {
  const found = parseProxyHeader(Buffer.concat([bytes, Buffer.from("GET /")]));
  expect(found).toEqual({ kind: "whole", bytes: bytes.length, address });
});

test.each([
  Buffer.from("PROXY TCP6 2001:db8::5 ::1 1 2\r\n"),
  binary(0x21, 0x11, IPV4),
  binary(0x21, 0x21, IPV6),
])("of a header, every part but the whole asks for more (%#)", (bytes) => {
  for (let length = 0; length < bytes.length; length++) {
    expect(parseProxyHeader(bytes.subarray(0, length))).toEqual({ kind: "more" });
  }
  expect(parseProxyHeader(bytes).kind).toBe("whole");
});

test.each([
  "GET / HTTP/1.1\r\n",
  "PROXYTCP4 1.2.3.4 1.2.3.4 1 2\r\n",
  "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
  "PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n",
  "PROXY TCP4 ::1 1.2.3.4 1 2\r\n",
  "PROXY TCP6 1.2.3.4 ::1 1 2\r\n",
  "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
  "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
  "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
  "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
  "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
  "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
  "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\r\n",
])("line %j is refused", (line) => {
  expect(parseProxyHeader(Buffer.from(line)).kind).toBe("bad");
});

test.each([
  binary(0x11, 0x11, IPV4),
  binary(0x22, 0x11, IPV4),
  binary(0x21, 0x12, IPV4),
  binary(0x21, 0x11, IPV4.subarray(1)),
  binary(0x21, 0x21, IPV6.subarray(1)),
  binary(0x21, 0x31, Buffer.alloc(215)),
])("binary header %# is refused", (bytes) => {
  expect(parseProxyHeader(bytes).kind).toBe("bad");
});

test("a line may be as long as the specification says, and no longer", () => {
  const line = (length: number): Buffer =>
    Buffer.from(`${"PROXY UNKNOWN ".padEnd(length - 2)}\r\n`);
  for (const length of [LINE_BYTES_MAX - 1, LINE_BYTES_MAX]) {
    expect(parseProxyHeader(line(length))).toMatchObject({ kind: "whole", bytes: length });
  }
  expect(parseProxyHeader(line(LINE_BYTES_MAX + 1)).kind).toBe("bad");
  expect(parseProxyHeader(line(LINE_BYTES_MAX + 1).subarray(0, LINE_BYTES_MAX - 1)).kind).toBe(
    "more",
  );
});

test("a binary header may be as long as is good for something", () => {
  const header = (length: number): Buffer =>
    binary(0x21, 0x11, Buffer.concat([IPV4, Buffer.alloc(length - 16 - IPV4.length)]));
  for (const length of [BINARY_BYTES_MAX - 1, BINARY_BYTES_MAX]) {
    expect(parseProxyHeader(header(length))).toMatchObject({ kind: "whole", bytes: length });
  }
  // Before it has come.
  expect(parseProxyHeader(header(BINARY_BYTES_MAX + 1).subarray(0, 16)).kind).toBe("bad");
});
