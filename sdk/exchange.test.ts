import { expect, test } from "vitest";
import { release, RELEASED_BYTES_MIN } from "./exchange.ts";

test("release gives back bytes from its limit on, once, and leaves shorter ones", () => {
  const [below, at, above] = [-1, 0, 1].map((more) => new Uint8Array(RELEASED_BYTES_MIN + more));
  for (const bytes of [below, at, above, above]) if (bytes !== undefined) release(bytes);
  const left = [below, at, above].map((bytes) => bytes?.byteLength);
  expect(left).toEqual([RELEASED_BYTES_MIN - 1, 0, 0]);
});

test("release leaves a part of a larger buffer, and memory that is shared", () => {
  const part = new Uint8Array(new ArrayBuffer(2 * RELEASED_BYTES_MIN), 0, RELEASED_BYTES_MIN);
  const shared = new Uint8Array(new SharedArrayBuffer(RELEASED_BYTES_MIN));
  release(part);
  release(shared);
  expect([part.byteLength, shared.byteLength]).toEqual([RELEASED_BYTES_MIN, RELEASED_BYTES_MIN]);
});
