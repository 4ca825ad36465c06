import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { CALLS } from "../../../sdk/bridge.ts";
import type { CallService } from "../call.ts";
import { CODERS_MAX, createCompressionCalls, LEFT_MAX } from "./compression-calls.ts";
import { PIECE_BYTES, STATE_BYTES } from "./coder.ts";
import { createGate } from "./gate.ts";

interface Answer {
  readonly bytes: Buffer;
  readonly rest: string;
}

/** An isolate, from its host's side. */
class Caller {
  readonly service: CallService;
  /** What is kept behind answers. */
  kept = 0;
  keptMax: number = Number.POSITIVE_INFINITY;
  #lastId = 0;

  constructor(service: CallService = createCompressionCalls(createGate())) {
    this.service = service;
  }

  ask(name: string, args: string, bytes: Uint8Array | null = null, owner = 1): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const known = this.service.call(name, {
        id: ++this.#lastId,
        owner,
        args,
        bytes: bytes === null ? null : new Uint8Array(bytes).buffer,
        trail: () => "",
        isOwned: () => true,
        renew: () => undefined,
        note: () => undefined,
        hold: () => true,
        keep: (more) => {
          if (this.kept + more > this.keptMax) return null;
          this.kept += more;
          return () => {
            this.kept -= more;
          };
        },
        ok: (payload) => resolve({ bytes: Buffer.alloc(0), rest: payload.replace("\n", "") }),
        okBytes: (answer, rest = "") => resolve({ bytes: Buffer.from(answer), rest }),
        fail: (code, message) => reject(new Error(`${code}: ${message}`)),
      });
      if (!known) throw new Error("unknown");
    });
  }

  async open(kind: string, owner = 1): Promise<number> {
    const answer = this.ask(CALLS.COMPRESSION_OPEN, kind, null, owner);
    const id = this.#lastId;
    await answer;
    return id;
  }

  push(id: number, step: string, bytes: Uint8Array | null = null): Promise<Answer> {
    return this.ask(CALLS.COMPRESSION_PUSH, `${id}\n${step}`, bytes);
  }

  /** All output of a step. */
  async all(id: number, step: string, input: Uint8Array | null = null): Promise<Buffer> {
    const pieces: Buffer[] = [];
    let answer = await this.push(id, step, input);
    for (; answer.rest === "more"; answer = await this.push(id, "more")) pieces.push(answer.bytes);
    return Buffer.concat([...pieces, answer.bytes]);
  }

  async run(kind: string, input: readonly Uint8Array[]): Promise<Buffer> {
    const id = await this.open(kind);
    const pieces: Buffer[] = [];
    for (const piece of input) pieces.push(await this.all(id, "push", piece));
    pieces.push(await this.all(id, "end"));
    return Buffer.concat(pieces);
  }
}

const TEXT = Buffer.from("The quick brown fox. ".repeat(20_000));
const COMPRESSED: Readonly<Record<string, Buffer>> = {
  gzip: gzipSync(TEXT),
  deflate: deflateSync(TEXT),
  "deflate-raw": deflateRawSync(TEXT),
  brotli: brotliCompressSync(TEXT),
};
const FORMATS = Object.keys(COMPRESSED);

test.each(FORMATS)("%s: what was compressed comes out again, in pieces", async (format) => {
  const caller = new Caller();
  const halves = [TEXT.subarray(0, 200_001), TEXT.subarray(200_001)];
  const compressed = await caller.run(`compress ${format}`, halves);
  expect(compressed.length).toBeLessThan(TEXT.length / 10);
  expect((await caller.run(`decompress ${format}`, [compressed])).equals(TEXT)).toBe(true);
  expect(caller.kept).toBe(0);
});

test.each(FORMATS)("%s: Node's output is read, also byte by byte", async (format) => {
  const input = COMPRESSED[format] ?? Buffer.alloc(0);
  const head = [...input.subarray(0, 50)].map((byte) => Buffer.from([byte]));
  const output = await new Caller().run(`decompress ${format}`, [...head, input.subarray(50)]);
  expect(output.equals(TEXT)).toBe(true);
});

test("gzip's output is read by Node", async () => {
  const compressed = await new Caller().run("compress gzip", [TEXT]);
  expect(gunzipSync(compressed).equals(TEXT)).toBe(true);
});

test.each(FORMATS)("%s: input that is cut off, or goes on too long, fails", async (format) => {
  const input = COMPRESSED[format] ?? Buffer.alloc(0);
  const kind = `decompress ${format}`;
  const caller = new Caller();
  await expect(caller.run(kind, [input.subarray(0, -1)])).rejects.toThrow("CALL_INVALID");
  await expect(caller.run(kind, [Buffer.concat([input, Buffer.of(0)])])).rejects.toThrow("junk");
  await expect(caller.run(kind, [])).rejects.toThrow("CALL_INVALID");
  expect(caller.kept).toBe(0);
});

test("what comes before a fault is given, then the fault", async () => {
  const caller = new Caller();
  const id = await caller.open("decompress gzip");
  const input = Buffer.concat([gzipSync("good"), Buffer.of(1)]);
  expect(await caller.push(id, "push", input)).toMatchObject({ bytes: Buffer.from("good") });
  await expect(caller.push(id, "more")).rejects.toThrow("junk");
  await expect(caller.push(id, "more")).rejects.toThrow("CANCELLED");
});

test("a bomb gives two pieces at most per answer, and stands still between them", async () => {
  const caller = new Caller();
  const bomb = gzipSync(Buffer.alloc(16 * 1024 * 1024));
  const id = await caller.open("decompress gzip");
  const before = process.memoryUsage().arrayBuffers;
  let answer = await caller.push(id, "push", bomb);
  for (let asked = 0; asked < 20; asked++) {
    expect(answer.rest).toBe("more");
    expect(answer.bytes.length).toBeLessThanOrEqual(2 * PIECE_BYTES);
    answer = await caller.push(id, "more");
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
  caller.service.cancel(id);
  await expect(caller.push(id, "more")).rejects.toThrow("CANCELLED");
  expect(caller.kept).toBe(0);
});

test("each stream is charged for its state until it is over", async () => {
  const caller = new Caller();
  const bytes = STATE_BYTES["compress gzip"];
  caller.keptMax = 2 * bytes;
  const first = await caller.open("compress gzip");
  await caller.open("compress gzip");
  await expect(caller.open("compress gzip")).rejects.toThrow("MEMORY_LIMIT");
  await caller.all(first, "end");
  expect(caller.kept).toBe(bytes);
  await caller.open("compress gzip");
  caller.service.close();
  expect(caller.kept).toBe(0);
});

test("an isolate has so many streams at once and no more", async () => {
  const caller = new Caller();
  for (let open = 0; open < CODERS_MAX; open++) await caller.open("decompress deflate");
  await expect(caller.open("decompress deflate")).rejects.toThrow("MEMORY_LIMIT");
  caller.service.close();
});

test("a request that dies closes its streams, one that ends leaves a few behind", async () => {
  const caller = new Caller();
  const dead = await caller.open("compress gzip", 5);
  caller.service.ownerDone(5, true);
  await expect(caller.push(dead, "end")).rejects.toThrow("CANCELLED");
  const left: number[] = [];
  for (let owner = 10; owner < 10 + LEFT_MAX + 1; owner++) {
    left.push(await caller.open("compress gzip", owner));
    caller.service.ownerDone(owner, false);
  }
  await expect(caller.push(left[0] ?? 0, "end")).rejects.toThrow("CANCELLED");
  expect((await caller.push(left[1] ?? 0, "end")).rest).toBe("");
  caller.service.close();
});

test("a step after the end fails and takes nothing along", async () => {
  const caller = new Caller();
  const id = await caller.open("compress gzip");
  const end = caller.push(id, "end");
  const late = caller.push(id, "push", TEXT);
  await end;
  await expect(late).rejects.toThrow("CALL_INVALID");
});

test.each([
  ["compression.open", ""],
  ["compression.open", "compress gzip "],
  ["compression.open", "compress\ngzip"],
  ["compression.open", "constructor"],
  ["compression.push", ""],
  ["compression.push", "1"],
  ["compression.push", "1\nshut"],
  ["compression.push", "1\npush\nx"],
  ["compression.push", "-1\npush"],
])("%s with %j is refused", async (name, args) => {
  const caller = new Caller();
  await caller.open("compress gzip");
  await expect(caller.ask(name, args)).rejects.toThrow("CALL_INVALID");
  caller.service.close();
});

test("other services' calls are left alone", async () => {
  await expect(new Caller().ask("crypto.digest", "SHA-1")).rejects.toThrow("unknown");
});
