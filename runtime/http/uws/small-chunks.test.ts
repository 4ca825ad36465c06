import { expect, test } from "vitest";
import {
  PIECE_BYTES_MAX,
  SMALL_BYTES_MAX,
  TINY_BYTES_MAX,
  TINY_CHUNKS_MAX,
  receive,
  type SmallChunks,
} from "./small-chunks.ts";

class Body {
  readonly pieces: Uint8Array[] = [];
  closed = false;
  ended = false;
  readonly refusals: string[] = [];
  #small: SmallChunks | null = null;

  refuse(code: string): void {
    this.refusals.push(code);
  }
  reset(): void {
    this.refusals.push("reset");
  }
  fail(): void {
    this.closed = true;
  }
  push(piece: Uint8Array): void {
    this.pieces.push(piece);
  }
  end(): void {
    this.ended = true;
  }
  /** As uWS does, whose bytes are gone afterwards. */
  receive(bytes: number, last = false, fill = 1): void {
    const chunk = new Uint8Array(bytes).fill(fill);
    this.#small = receive(this, this.#small, chunk.buffer, last, this);
    chunk.fill(0);
  }
  get sizes(): number[] {
    return this.pieces.map(({ byteLength }) => byteLength);
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("small chunks of one turn are one piece at its end", async () => {
  const body = new Body();
  for (let i = 0; i < 1_000; i++) body.receive(1, false, i % 251);
  expect(body.sizes).toEqual([]);
  await turn();
  expect(body.sizes).toEqual([1_000]);
  expect(body.pieces[0]?.every((byte, at) => byte === at % 251)).toBe(true);
  body.receive(1);
  await turn();
  expect(body.sizes).toEqual([1_000, 1]);
});

test("small chunks go before the large one and the last one behind them", async () => {
  const body = new Body();
  body.receive(2);
  body.receive(SMALL_BYTES_MAX + 1);
  expect(body.sizes).toEqual([2, SMALL_BYTES_MAX + 1]);
  body.receive(SMALL_BYTES_MAX);
  body.receive(3, true);
  expect(body.sizes).toEqual([2, SMALL_BYTES_MAX + 1, SMALL_BYTES_MAX, 3]);
  expect(body.ended).toBe(true);
  await turn();
  expect(body.pieces).toHaveLength(4);
});

test("small chunks do not wait when a piece is full", () => {
  const body = new Body();
  for (let i = 0; i < PIECE_BYTES_MAX / 1_000; i++) body.receive(1_000);
  expect(body.sizes).toEqual([16_000]);
  body.receive(SMALL_BYTES_MAX + 1);
  expect(body.sizes).toEqual([16_000, 1_000, SMALL_BYTES_MAX + 1]);
});

test("a body that nobody wants any more is given nothing", async () => {
  const body = new Body();
  body.closed = true;
  body.receive(1);
  body.receive(SMALL_BYTES_MAX + 1);
  body.receive(0, true);
  await turn();
  expect(body.pieces).toEqual([]);
  expect(body.ended).toBe(true);
});

test("tiny chunks are refused, at the end of the turn, beyond a number of them", async () => {
  for (const isWanted of [true, false]) {
    const body = new Body();
    body.closed = !isWanted;
    for (let turns = 0; turns < 2; turns++) {
      for (let i = 0; i < TINY_CHUNKS_MAX; i++) body.receive(TINY_BYTES_MAX);
      body.receive(TINY_BYTES_MAX + 1);
      await turn();
    }
    expect([body.refusals, body.closed]).toEqual([[], !isWanted]);
    for (let i = 0; i <= TINY_CHUNKS_MAX; i++) body.receive(TINY_BYTES_MAX);
    expect(body.refusals).toEqual([]);
    await turn();
    expect([body.refusals, body.closed]).toEqual([["BAD_REQUEST", "reset"], true]);
  }
  const whole = new Body();
  for (let i = 0; i <= TINY_CHUNKS_MAX; i++) whole.receive(1);
  whole.receive(1, true);
  await turn();
  expect([whole.refusals, whole.ended]).toEqual([[], true]);
});
