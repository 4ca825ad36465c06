import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HEADER_BYTES_MAX } from "../../sdk/limits.ts";
import { MemoryExchange } from "../../test/isolate/memory-exchange.ts";
import { ReplyStream, createHeadParser, type ReplyHead } from "./reply.ts";
import { Held } from "./held.ts";

function createParser(): (payload: string) => ReplyHead | null {
  const parse = createHeadParser();
  return (payload) => {
    const head = parse(payload);
    if (head === "large") throw new Error("It is not large.");
    return head;
  };
}

describe("the head of a reply", () => {
  test("with text is taken apart", () => {
    expect(createHeadParser()("201\n1\nx-a\n1\nx-a\n2\n\0te\0xt\n")).toEqual({
      status: 201,
      kind: "1",
      headers: "x-a\n1\nx-a\n2\n",
      text: "te\0xt\n",
    });
  });

  test.each([
    ["200\n0\n", ""],
    ["599\n2\n", ""],
    ["200\n3\nset-cookie\na=b; c\n", "set-cookie\na=b; c\n"],
    ["200\n3\nx-empty\n\n", "x-empty\n\n"],
    ["200\n3\nx-tab\na\tb\u00ff\n", "x-tab\na\tb\u00ff\n"],
  ])("%j is taken", (payload, headers) => {
    expect(createHeadParser()(payload)).toMatchObject({ headers, text: "" });
  });

  test.each([
    "",
    "\n",
    "200",
    "199\n0\n",
    "600\n0\n",
    "NaN\n0\n",
    "200.5\n0\n",
    "-200\n0\n",
    "2000\n0\n",
    "200\n01\n",
    "200\n1\nx-a\n1\n",
    "200\n0\nx-a\n",
    "200\n0\nx-a",
    "200\n0\n\nvalue\n",
    "200\n0\nX-A\n1\n",
    "200\n0\nx a\n1\n",
    "200\n0\nx-a:\n1\n",
    "200\n0\nx-a\n1\r\n",
    "200\n0\nx-a\n1\r\nset-cookie: a\n",
    "200\n0\nx-a\n\0\n",
    "200\n0\nx-a\n\u0100\n",
    "200\n0\nx-a\n\u007f\n",
    "200\n0\nx-\u00e4\n1\n",
  ])("%j is refused", (payload) => {
    expect(createHeadParser()(payload)).toBeNull();
  });

  test("may have headers up to the limit, and more are told apart from broken ones", () => {
    const head = (bytes: number): string => `200\n0\nx-a\n${"v".repeat(bytes - 5)}\n`;
    expect(createHeadParser()(head(HEADER_BYTES_MAX))).toMatchObject({ status: 200 });
    expect(createHeadParser()(head(HEADER_BYTES_MAX + 1))).toBe("large");
    expect(createHeadParser()(`200\n0\n${"a\nb\n".repeat(4e6)}`)).toBe("large");
  });

  test("is judged anew when it differs from the last one, and alike when it does not", () => {
    const parse = createParser();
    expect(parse("200\n0\nx-a\n1\n")?.headers).toBe("x-a\n1\n");
    expect(parse("200\n0\nx-a\n\r\n")).toBeNull();
    expect(parse("200\n0\nx-a\n1\n")?.headers).toBe("x-a\n1\n");
    expect(parse("200\n0\nx-a\n\r\n")).toBeNull();
  });

  test("never lets a line through that could end a header", () => {
    const text = fc.string({
      unit: fc.constantFrom("\n", "\r", "\0", "a", ":", " ", "\u0100", "é"),
    });
    fc.assert(
      fc.property(text, (headers) => {
        const head = createParser()(`200\n0\n${headers}`);
        if (head !== null) expect(head.headers).toMatch(/^([^\n\r\0: ]+\n[^\n\r\0\u0100]*\n)*$/);
      }),
    );
  });
});

describe("a reply stream", () => {
  function open(
    socketBytes: number,
    held: Held = new Held(Infinity),
  ): {
    exchange: MemoryExchange;
    stream: ReplyStream;
    granted: number[];
  } {
    const exchange = new MemoryExchange();
    exchange.begin(200, "");
    exchange.socketBytes = socketBytes;
    const granted: number[] = [];
    const whenDone = (listener: () => void): void => exchange.onDone(listener);
    const grant = (bytes: number): number => granted.push(bytes);
    const stream = new ReplyStream({ exchange, whenDone }, held, grant);
    return { exchange, stream, granted };
  }
  const KB = 1024;

  test("gives credit back in portions while the socket takes everything", () => {
    const { stream, granted } = open(Number.POSITIVE_INFINITY);
    stream.write(new ArrayBuffer(63 * KB - 1));
    expect(granted).toEqual([]);
    stream.write(new ArrayBuffer(KB + 1));
    expect(granted).toEqual([64 * KB]);
    stream.write(new ArrayBuffer(100 * KB));
    expect(granted).toEqual([64 * KB, 100 * KB]);
  });

  test("counts the shortest chunk as a kilobyte of credit, and as what it is of memory", () => {
    const held = new Held(KB);
    const { stream, granted } = open(Number.POSITIVE_INFINITY, held);
    for (let at = 0; at < 63; at++) stream.write(new ArrayBuffer(1));
    expect([granted, held.bytes]).toEqual([[], 63]);
    stream.write(new ArrayBuffer(1));
    expect([granted, held.bytes]).toEqual([[64 * KB], 0]);
  });

  test("holds what the socket has not taken, refuses what is too much, and gives it back at the end", () => {
    const held = new Held(128 * KB);
    const { exchange, stream } = open(10 * KB, held);
    expect(stream.write(new ArrayBuffer(64 * KB))).toBe(true);
    expect(stream.write(new ArrayBuffer(64 * KB))).toBe(true);
    expect(stream.write(new ArrayBuffer(1))).toBe(false);
    expect([held.bytes, exchange.bytesOut]).toEqual([128 * KB, 128 * KB]);
    exchange.drain(70 * KB);
    expect(held.bytes).toBe(0);
    stream.write(new ArrayBuffer(70 * KB));
    stream.close();
    expect(held.bytes).toBe(70 * KB);
    exchange.finish();
    expect(held.bytes).toBe(0);
  });

  test("gives none while the socket is full, and all of it when it has drained", () => {
    const { exchange, stream, granted } = open(10 * KB);
    stream.write(new ArrayBuffer(64 * KB));
    stream.write(new ArrayBuffer(64 * KB));
    expect(granted).toEqual([]);
    exchange.drain(1024 * KB);
    expect(granted).toEqual([128 * KB]);
    exchange.drain(1024 * KB);
    expect(granted).toEqual([128 * KB]);
    expect(exchange.bytesOut).toBe(128 * KB);
  });
});
