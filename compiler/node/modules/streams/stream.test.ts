// Our node:stream against Node's own: what the ways to and from web streams do, step by step.

import real from "node:stream";
import { expect, test } from "vitest";
import * as consumers from "./consumers.ts";
import { Stream as ours, duplexPair } from "./stream.ts";

type Streams = typeof real;

async function compare(run: (streams: Streams) => Promise<unknown>): Promise<void> {
  const seen = async (streams: Streams): Promise<unknown> => {
    try {
      return await run(streams);
    } catch (error) {
      const { name, code } = error as Error & { code?: string };
      return { name, code };
    }
  };
  const [mine, expected] = [await seen(ours), await seen(real)];
  expect(mine).toEqual(expected);
}

async function all(stream: ReadableStream): Promise<unknown[]> {
  return Array.fromAsync(stream as unknown as AsyncIterable<unknown>);
}

function source(...chunks: readonly unknown[]): ReadableStream {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

function sink(log: unknown[]): WritableStream {
  return new WritableStream({
    write: (chunk) => void log.push(chunk),
    close: () => void log.push("closed"),
    abort: (reason) => void log.push(`aborted: ${String(reason)}`),
  });
}

/** As Node's types do not have it: streams of both kinds. */
async function piped(streams: Streams, ...steps: readonly unknown[]): Promise<void> {
  await (Reflect.apply(streams.promises.pipeline, null, steps) as unknown as Promise<void>);
}

const closing = (stream: { once(name: string, heard: () => void): unknown }): Promise<void> =>
  new Promise((resolve) => stream.once("close", resolve));

test.each<[string, (streams: Streams) => Promise<unknown>]>([
  [
    "bytes of a Readable",
    async (S) =>
      all(
        S.Readable.toWeb(
          S.Readable.from([Buffer.from("ab"), Buffer.from("c")], { objectMode: false }),
        ) as ReadableStream,
      ),
  ],
  [
    "objects of a Readable",
    async (S) => all(S.Readable.toWeb(S.Readable.from([1, { a: 2 }, "x"])) as ReadableStream),
  ],
  [
    "texts of a Readable",
    async (S) =>
      all(
        S.Readable.toWeb(
          S.Readable.from([Buffer.from("ab")], { objectMode: false }).setEncoding("utf8"),
        ) as ReadableStream,
      ),
  ],
  [
    "a Readable that fails",
    async (S) =>
      all(
        S.Readable.toWeb(
          new S.Readable({
            read() {
              this.destroy(new RangeError("no"));
            },
          }),
        ) as ReadableStream,
      ),
  ],
  [
    "a Readable that breaks off",
    async (S) =>
      all(
        S.Readable.toWeb(
          new S.Readable({
            read() {
              this.destroy();
            },
          }),
        ) as ReadableStream,
      ),
  ],
  [
    "a Readable that is destroyed",
    async (S) => all(S.Readable.toWeb(new S.Readable().destroy()) as ReadableStream),
  ],
  [
    "a cancelled one",
    async (S) => {
      const readable = new S.Readable({
        read() {
          this.push("a");
        },
      });
      const failed = new Promise((resolve) => readable.on("error", resolve));
      await (S.Readable.toWeb(readable) as ReadableStream).cancel(new RangeError("enough"));
      return [String(await failed), readable.destroyed];
    },
  ],
  ["no Readable", async (S) => S.Readable.toWeb({} as never)],
  [
    "a Readable over a web stream",
    async (S) => S.Readable.fromWeb(source("ab", "c") as never, { encoding: "utf8" }).toArray(),
  ],
  [
    "a Readable over one of objects",
    async (S) => S.Readable.fromWeb(source({ a: 1 }, 2) as never, { objectMode: true }).toArray(),
  ],
  [
    "a Readable over one that fails",
    async (S) =>
      S.Readable.fromWeb(
        new ReadableStream({
          pull() {
            throw new RangeError("no");
          },
        }) as never,
      ).toArray(),
  ],
  [
    "a destroyed Readable cancels",
    async (S) => {
      const log: unknown[] = [];
      const readable = S.Readable.fromWeb(
        new ReadableStream({ cancel: (reason) => void log.push(String(reason)) }) as never,
      );
      readable.on("error", (error) => log.push(error.message));
      readable.destroy(new Error("over"));
      await closing(readable);
      return log;
    },
  ],
  ["no web stream to read", async (S) => S.Readable.fromWeb({} as never)],
  [
    "a Writable over a web stream",
    async (S) => {
      const log: unknown[] = [];
      const writable = S.Writable.fromWeb(sink(log) as never, { objectMode: true });
      writable.write({ a: 1 });
      writable.end("b");
      await closing(writable);
      return log;
    },
  ],
  [
    "a destroyed Writable aborts",
    async (S) => {
      const log: unknown[] = [];
      const writable = S.Writable.fromWeb(sink(log) as never);
      writable.on("error", (error) => log.push(error.message));
      writable.destroy(new Error("over"));
      await closing(writable);
      return log;
    },
  ],
  [
    "a Writable over one that fails",
    async (S) => {
      const writable = S.Writable.fromWeb(
        new WritableStream({
          write() {
            throw new RangeError("full");
          },
        }) as never,
      );
      const failed = new Promise((resolve) => writable.on("error", resolve));
      writable.write("a");
      return String(await failed);
    },
  ],
  ["no web stream to write", async (S) => S.Writable.fromWeb({} as never)],
  [
    "a web stream over a Writable",
    async (S) => {
      const log: unknown[] = [];
      const writable = new S.Writable({
        objectMode: true,
        write: (chunk, _, done) => {
          log.push(chunk);
          done();
        },
        final: (done) => {
          log.push("final");
          done();
        },
      });
      await source(1, "b").pipeTo(S.Writable.toWeb(writable) as WritableStream);
      return [log, writable.writableFinished];
    },
  ],
  [
    "a web stream over a Writable that is slow",
    async (S) => {
      const log: unknown[] = [];
      const writable = new S.Writable({
        highWaterMark: 1,
        write: (chunk, _, done) => {
          log.push(String(chunk));
          setImmediate(done);
        },
      });
      await source("aa", "bb", "cc").pipeTo(S.Writable.toWeb(writable) as WritableStream);
      return log;
    },
  ],
  [
    "a web stream over a Writable that fails",
    async (S) =>
      source("a").pipeTo(
        S.Writable.toWeb(
          new S.Writable({ write: (_chunk, _, done) => done(new RangeError("full")) }),
        ) as WritableStream,
      ),
  ],
  [
    "an aborted one",
    async (S) => {
      const writable = new S.Writable();
      const failed = new Promise((resolve) => writable.on("error", resolve));
      await (S.Writable.toWeb(writable) as WritableStream).abort(new RangeError("enough"));
      return String(await failed);
    },
  ],
  ["no Writable", async (S) => S.Writable.toWeb({} as never)],
  [
    "a Duplex as a pair",
    async (S) => {
      const pair = S.Duplex.toWeb(new S.PassThrough()) as unknown as TransformStream;
      const read = all(pair.readable);
      await source(new Uint8Array([1, 2])).pipeTo(pair.writable);
      return (await read).flatMap((chunk) => [...(chunk as Uint8Array)]);
    },
  ],
  [
    "a Duplex of a pair",
    async (S) => {
      const duplex = S.Duplex.fromWeb(new TransformStream() as never, { objectMode: true });
      duplex.end("abc");
      return duplex.toArray();
    },
  ],
  [
    "a pipeline into a web stream",
    async (S) => {
      const log: unknown[] = [];
      await piped(S, S.Readable.from(["a", "b"]), sink(log) as never);
      return log;
    },
  ],
  [
    "a pipeline out of one",
    async (S) => {
      let text = "";
      await piped(
        S,
        source("a", "b") as never,
        (async (chunks: AsyncIterable<string>) => {
          for await (const chunk of chunks) text += chunk;
        }) as never,
      );
      return text;
    },
  ],
])("%s: as Node's", (_, run) => compare(run));

test("what is written to one end of a pair is read from the other, and ends there", async () => {
  for (const pair of [duplexPair({ encoding: "utf8" }), real.duplexPair({ encoding: "utf8" })]) {
    const [near, far] = pair;
    near.write("there");
    far.end("back");
    near.end();
    expect([await far.toArray(), await near.toArray()]).toEqual([["there"], ["back"]]);
  }
});

test("a stream of either kind is had as one value", async () => {
  const kinds = [
    () => ours.Readable.from(['{"a":', Buffer.from('"ü"}')]),
    () => source('{"a":', Buffer.from('"ü"}')),
  ];
  for (const kind of kinds) {
    const stream = kind as () => AsyncIterable<unknown>;
    expect(await consumers.text(stream())).toBe('{"a":"ü"}');
    expect(await consumers.json(stream())).toEqual({ a: "ü" });
    expect(String(await consumers.buffer(stream()))).toBe('{"a":"ü"}');
    expect((await consumers.arrayBuffer(stream())).byteLength).toBe(10);
    expect((await consumers.blob(stream())).size).toBe(10);
  }
  await expect(consumers.buffer(ours.Readable.from([1]))).rejects.toMatchObject({
    code: "ERR_INVALID_ARG_TYPE",
  });
});
