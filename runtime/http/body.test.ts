import { expect, test } from "vitest";
import { InboundBody, WINDOW_BYTES } from "./body.ts";

const BYTES_MAX = 16 * WINDOW_BYTES;

class Source {
  held = false;
  hold(): void {
    this.held = true;
  }
  release(): void {
    this.held = false;
  }
  overflow(): void {
    throw new Error("the body is within its limit");
  }
}

function openBody(bytes: number): { source: Source; body: InboundBody } {
  const source = new Source();
  return { source, body: new InboundBody(source, bytes, BYTES_MAX) };
}

test("a body that fills the window holds its socket, one byte less does not", () => {
  const { source, body } = openBody(-1);
  // Every chunk costs a little more than its bytes.
  body.push(new Uint8Array(WINDOW_BYTES - 129));
  expect(source.held).toBe(false);
  body.push(new Uint8Array(1));
  expect(source.held).toBe(true);
});

test("a socket is read again when half of the window is gone", () => {
  const { source, body } = openBody(-1);
  const got: number[] = [];
  for (let i = 0; i < 4; i++) body.push(new Uint8Array(WINDOW_BYTES / 4));
  expect(source.held).toBe(true);
  body.pause();
  body.read({
    chunk: (bytes) => {
      got.push(bytes.byteLength);
      body.pause();
    },
    end: () => undefined,
    fail: () => undefined,
  });
  body.resume();
  expect([got.length, source.held]).toEqual([1, true]);
  body.resume();
  expect([got.length, source.held]).toEqual([2, true]);
  body.resume();
  expect([got.length, source.held]).toEqual([3, false]);
});

// The next request of the connection would not be read otherwise.
test("a socket is not held beyond the end of its body, whoever reads it", () => {
  const { source, body } = openBody(WINDOW_BYTES);
  body.push(new Uint8Array(WINDOW_BYTES));
  expect(source.held).toBe(true);
  body.end();
  expect(source.held).toBe(false);
  expect(body.take()?.byteLength).toBe(WINDOW_BYTES);
});
