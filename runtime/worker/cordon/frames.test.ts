import { PassThrough } from "node:stream";
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import {
  FRAME_BYTES_MAX,
  FrameReader,
  FrameWriter,
  OP,
  packRequest,
  parseRequest,
  type RequestHead,
} from "./frames.ts";

interface Frame {
  readonly op: number;
  readonly id: number;
  readonly text: string;
  readonly bytes: string;
}

/** What the writer puts on the wire for these frames. */
async function wireOf(frames: readonly Frame[]): Promise<Buffer> {
  const stream = new PassThrough();
  // The writer uses nothing that only sockets have.
  const writer = new FrameWriter(stream as unknown as Socket, () => {});
  for (const { op, id, text, bytes } of frames) writer.push(op, id, text, Buffer.from(bytes));
  await new Promise((resolve) => setImmediate(resolve));
  stream.end();
  return Buffer.concat(await stream.toArray());
}

const FRAMES: readonly Frame[] = [
  { op: OP.REQUEST, id: 1, text: "a\nü\n", bytes: "body" },
  { op: OP.ABORT, id: 0xffff_ffff, text: "", bytes: "" },
  { op: OP.CHUNK, id: 2, text: "", bytes: "x".repeat(1_000) },
  { op: OP.END, id: 2, text: "ok", bytes: "" },
];

test("frames are read as they were written, however the wire cuts them", async () => {
  const wire = await wireOf(FRAMES);
  for (const size of [1, 2, 7, 13, 64, wire.length]) {
    const read: Frame[] = [];
    const reader = new FrameReader((op, id, text, bytes) => {
      read.push({ op, id, text, bytes: bytes.toString() });
    });
    for (let at = 0; at < wire.length; at += size) reader.push(wire.subarray(at, at + size));
    expect(read).toEqual(FRAMES);
  }
});

test("a frame of the largest size is read, one that claims more is refused before it is kept", () => {
  const head = Buffer.alloc(13);
  let taken = 0;
  const reader = new FrameReader((_op, _id, _text, bytes) => (taken = bytes.length));
  head.writeUInt32LE(FRAME_BYTES_MAX, 4);
  reader.push(Buffer.concat([head, Buffer.alloc(FRAME_BYTES_MAX)]));
  expect(taken).toBe(FRAME_BYTES_MAX);
  head.writeUInt32LE(FRAME_BYTES_MAX + 1, 4);
  expect(() => reader.push(head)).toThrow("larger than any can be");
  head.writeUInt32LE(0xffff_ffff, 0);
  expect(() => reader.push(head)).toThrow("larger than any can be");
});

test("a request's head survives the way", () => {
  const head: RequestHead = {
    endpoint: "api",
    revision: 12,
    requestId: "id",
    method: "POST",
    url: "/a?b=c",
    host: "a.test",
    authority: "a.test:80",
    scheme: "http",
    address: "192.0.2.1",
    body: "later",
    asksSocket: true,
    entrypoint: "Api",
    protocol: "HTTP/2 TLSv1.3",
    headers: "x-a\n1\nx-a\n\nx-b\nü\n",
  };
  expect(parseRequest(packRequest(head))).toEqual(head);
});
