import { expect, test } from "vitest";
import { ENTER, LEAVE } from "../../../sdk/bridge.ts";
import type { Wire } from "../payload.ts";
import type { SocketEnd, SocketWire } from "../port.ts";
import { Sockets } from "./wire.ts";

const TEXTS_AT_ONCE = 1_024;
const BYTES_AT_ONCE = 16;

class Opened {
  readonly left: [op: string, id: number, payload: string | number][] = [];
  readonly sockets: Sockets;
  readonly #ends = new Map<number, SocketWire>();

  constructor(...ids: number[]) {
    const wire = {
      push: (op: string, id: number, payload: string) => this.left.push([op, id, payload]),
      pushBytes: (op: string, id: number, _payload: string, bytes: Uint8Array) =>
        this.left.push([op, id, bytes.byteLength]),
    };
    this.sockets = new Sockets(wire as unknown as Wire);
    for (const id of ids) {
      const end: SocketEnd = {
        attach: (socket) => void this.#ends.set(id, socket),
        message: () => undefined,
        closed: () => undefined,
      };
      this.sockets.open(id, end);
    }
  }

  send(id: number, message: string | ArrayBuffer, times: number): void {
    for (let i = 0; i < times; i++) this.#ends.get(id)?.send(message);
  }

  close(id: number): void {
    this.#ends.get(id)?.close(1_000, "bye");
  }

  ops(): string {
    return this.left
      .splice(0)
      .map(([op]) => op)
      .join("");
  }
}

const { SOCKET_TEXT: TEXT, SOCKET_BYTES: BYTES, SOCKET_CLOSE: CLOSE, SOCKET_WAIT: WAIT } = LEAVE;

test.each([TEXTS_AT_ONCE - 1, TEXTS_AT_ONCE])("%d short messages leave at once", (count) => {
  const opened = new Opened(1);
  opened.send(1, "x", count);
  expect(opened.ops()).toBe(TEXT.repeat(count));
});

test("one message more waits until the host has come in, and asks it to", () => {
  const opened = new Opened(1);
  opened.send(1, "x", TEXTS_AT_ONCE + 3);
  expect(opened.ops()).toBe(TEXT.repeat(TEXTS_AT_ONCE) + WAIT);
  opened.sockets.entered();
  expect(opened.ops()).toBe(TEXT.repeat(3));
  expect(opened.sockets.advance(ENTER.SOCKET_GO, 1, "", [])).toBe(true);
});

test("messages of bytes leave sixteen at a time, and long texts by their length", () => {
  const opened = new Opened(1);
  opened.send(1, new ArrayBuffer(1), BYTES_AT_ONCE + 1);
  expect(opened.ops()).toBe(BYTES.repeat(BYTES_AT_ONCE) + WAIT);
  opened.sockets.entered();
  expect(opened.ops()).toBe(BYTES);
  opened.sockets.entered();
  opened.send(1, "x".repeat(524_288), 3);
  expect(opened.ops()).toBe(TEXT.repeat(2) + WAIT);
});

test("a close leaves behind the messages sent before it, and nothing follows a closed connection", () => {
  const opened = new Opened(1, 2);
  opened.send(1, "x", TEXTS_AT_ONCE + 1);
  opened.close(1);
  opened.send(2, "y", 2);
  expect(opened.ops()).toBe(TEXT.repeat(TEXTS_AT_ONCE) + WAIT);
  opened.sockets.advance(ENTER.SOCKET_CLOSED, 2, "1006\n", []);
  opened.sockets.entered();
  expect(opened.left).toEqual([
    [TEXT, 1, "x"],
    [CLOSE, 1, "1000\nbye"],
  ]);
});
