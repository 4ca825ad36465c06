// RFC 6455 from raw sockets: frames as they may and may not be, and which code a connection is closed with, on both
// listeners.

import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listenNode } from "../../runtime/http/node-listener.ts";
import { listenUws } from "../../runtime/http/uws-listener.ts";
import type { Exchange, Listener, Socket } from "../../sdk/exchange.ts";
import { HEADER_BYTES_MAX } from "../../sdk/limits.ts";
import { RawClient } from "./raw-client.ts";

// Read by uWebSockets.js when it is loaded, which the first listen does.
process.env["UWS_HTTP_MAX_HEADERS_SIZE"] = String(HEADER_BYTES_MAX);

const MESSAGE_BYTES_MAX = 100_000;
const CONTINUATION = 0;
const TEXT = 1;
const BYTES = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
/** The same each time: what a parser makes of frames that are none must not hang on chance. */
const MASK = [0x37, 0xfa, 0x21, 0x3d] as const;

interface FrameOptions {
  readonly fin?: boolean;
  readonly reserved?: number;
  readonly masked?: boolean;
}

function frame(opcode: number, payload: Uint8Array | string, options: FrameOptions = {}): Buffer {
  const { fin = true, reserved = 0, masked = true } = options;
  const bytes = Buffer.from(payload);
  const length =
    bytes.length < 126
      ? Buffer.from([bytes.length])
      : bytes.length < 65_536
        ? Buffer.from([126, bytes.length >> 8, bytes.length & 255])
        : Buffer.from([
            127,
            0,
            0,
            0,
            0,
            0,
            bytes.length >> 16,
            (bytes.length >> 8) & 255,
            bytes.length & 255,
          ]);
  const first = Buffer.from([(fin ? 128 : 0) | (reserved << 4) | opcode]);
  if (!masked) return Buffer.concat([first, length, bytes]);
  length[0] = (length[0] ?? 0) | 128;
  const hidden = bytes.map((byte, at) => byte ^ (MASK[at & 3] ?? 0));
  return Buffer.concat([first, length, Buffer.from(MASK), hidden]);
}

function closing(code: number, reason: Uint8Array | string = ""): Buffer {
  return frame(CLOSE, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]));
}

/** Of a server's frames: opcode and payload. */
function parse(bytes: Buffer): [number, Buffer][] {
  const frames: [number, Buffer][] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const short = (bytes[at + 1] ?? 0) & 127;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    const size =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : bytes.readUInt32BE(at + 6);
    frames.push([(bytes[at] ?? 0) & 15, bytes.subarray(at + head, at + head + size)]);
    at += head + size;
  }
  return frames;
}

describe.each([
  ["uws", listenUws],
  ["node", listenNode],
] as const)("a WebSocket of the %s listener", (name, listen) => {
  let listener: Listener;

  beforeAll(async () => {
    listener = await listen({
      host: "127.0.0.1",
      port: 0,
      handler: echo,
      bodyBytesMax: 1_000,
      socketBytesMax: MESSAGE_BYTES_MAX,
      headerBytesMax: HEADER_BYTES_MAX,
    });
  });
  afterAll(() => listener.drain(0));

  /** Everything that the server sends for these frames, up to the end. */
  const talk = async (...frames: Uint8Array[]): Promise<[number, Buffer][]> => {
    const client = new RawClient(listener.port);
    client.send(
      "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    let head = "";
    while (!head.includes("\r\n\r\n")) head += await client.some();
    expect(head).toContain("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    const begun = head.slice(head.indexOf("\r\n\r\n") + 4);
    client.send(Buffer.concat(frames));
    const rest = begun + (await client.rest());
    client.close();
    return parse(Buffer.from(rest, "latin1"));
  };
  const codeOf = (frames: [number, Buffer][]): number => {
    const last = frames.findLast(([opcode]) => opcode === CLOSE)?.[1];
    if (last === undefined) return 1006;
    return last.length === 0 ? 1005 : last.readUInt16BE(0);
  };
  const textOf = (frames: [number, Buffer][]): string[] =>
    frames.filter(([opcode]) => opcode === TEXT).map(([, payload]) => payload.toString());

  test.each([0, 1, 125, 126, 127, 65_535, 65_536, MESSAGE_BYTES_MAX])(
    "%d bytes come back as they went",
    async (size) => {
      const bytes = randomBytes(size);
      const frames = await talk(frame(BYTES, bytes), closing(1000));
      expect(frames[0]?.[0]).toBe(BYTES);
      expect(Buffer.compare(frames[0]?.[1] ?? Buffer.alloc(1), bytes)).toBe(0);
      expect(codeOf(frames)).toBe(1000);
    },
  );

  test("a message in pieces is one, and control frames may stand between them", async () => {
    const frames = await talk(
      frame(TEXT, "a", { fin: false }),
      frame(PING, "p"),
      frame(CONTINUATION, "", { fin: false }),
      frame(PONG, "unasked"),
      frame(CONTINUATION, "b"),
      closing(1000),
    );
    expect(textOf(frames)).toEqual(["ab"]);
    expect(frames.find(([opcode]) => opcode === PONG)?.[1].toString()).toBe("p");
  });

  test("a character may be cut between two pieces", async () => {
    const euro = Buffer.from("€");
    const frames = await talk(
      frame(TEXT, euro.subarray(0, 1), { fin: false }),
      frame(CONTINUATION, euro.subarray(1)),
      closing(1000),
    );
    expect(textOf(frames)).toEqual(["€"]);
  });

  test("a ping of 125 bytes is answered with them", async () => {
    const payload = randomBytes(125);
    const frames = await talk(frame(PING, payload), closing(1000));
    expect(frames.find(([opcode]) => opcode === PONG)?.[1].equals(payload)).toBe(true);
  });

  test.each([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])(
    "a close with %d is answered",
    async (code) => {
      // uWS takes codes from 1012 to 3999 for none.
      expect(name === "uws" && code >= 3000 && code < 4000 ? [1005] : [code]).toContain(
        codeOf(await talk(closing(code, "why"))),
      );
    },
  );

  test("a close without a code is answered", async () => {
    expect([1000, 1005]).toContain(codeOf(await talk(frame(CLOSE, ""))));
  });

  test("nothing is taken behind a close", async () => {
    expect(textOf(await talk(closing(1000), frame(TEXT, "late")))).toEqual([]);
  });

  test.each<[string, Uint8Array[]]>([
    // uWS takes every frame for a masked one: what it then hears is not what was sent.
    ...(name === "node"
      ? [
          ["a frame without a mask", [frame(TEXT, "a", { masked: false })]] as [
            string,
            Uint8Array[],
          ],
        ]
      : []),
    ["a reserved bit", [frame(TEXT, "a", { reserved: 4 })]],
    ["a reserved bit of a ping", [frame(PING, "a", { reserved: 1 })]],
    ["an opcode that is none", [frame(3, "a")]],
    ["a control opcode that is none", [frame(11, "a")]],
    ["a ping in pieces", [frame(PING, "a", { fin: false })]],
    ["a ping of 126 bytes", [frame(PING, randomBytes(126))]],
    ["a continuation of nothing", [frame(CONTINUATION, "a")]],
    ["a message within another", [frame(TEXT, "a", { fin: false }), frame(TEXT, "b")]],
    ["a close of one byte", [frame(CLOSE, "a")]],
    ["a close with code 999", [closing(999)]],
    ["a close with code 1005", [closing(1005)]],
    ["a close with code 1006", [closing(1006)]],
    ["a close with code 5000", [closing(5000)]],
    ["a close whose reason is no UTF-8", [closing(1000, Buffer.from([0xc3, 0x28]))]],
    ["a text that is no UTF-8", [frame(TEXT, Buffer.from([0xc3, 0x28]))]],
    ["a text with half a pair", [frame(TEXT, Buffer.from([0xed, 0xa0, 0x80]))]],
    ["a text that ends within a character", [frame(TEXT, Buffer.from([0xe2, 0x82]))]],
    ["a message beyond the limit", [frame(BYTES, randomBytes(MESSAGE_BYTES_MAX + 1))]],
  ])("%s ends the connection, and is no message", async (_what, frames) => {
    const got = await talk(...frames, frame(TEXT, "behind"));
    expect(got.filter(([opcode]) => opcode === TEXT || opcode === BYTES)).toEqual([]);
    // To a close that is none uWS answers with one that says nothing.
    expect([1002, 1006, 1007, 1009, ...(name === "uws" ? [1005] : [])]).toContain(codeOf(got));
  });
});

function echo(exchange: Exchange): void {
  let socket: Socket | null = null;
  socket =
    exchange.upgrade?.accept("", MESSAGE_BYTES_MAX, {
      message: (message) => void socket?.send(message),
      drained: () => undefined,
      closed: () => undefined,
    }) ?? null;
}
