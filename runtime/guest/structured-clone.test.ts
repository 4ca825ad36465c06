// Against Node's structuredClone.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DOMException } from "./dom-exception.ts";
import { EventTarget } from "./events.ts";
import { structuredClone } from "./structured-clone.ts";

const clone = structuredClone as <T>(value: T, options?: { transfer: unknown[] }) => T;

test("copies any plain value as Node does", () => {
  const value = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withSparseArray: true,
    withNullPrototype: true,
    withBoxedValues: true,
  });
  fc.assert(
    fc.property(value, (input) => {
      const copy: unknown = clone(input);
      expect(copy).toStrictEqual(globalThis.structuredClone(input));
    }),
    { numRuns: 1_000 },
  );
});

test("takes an object for what it is, whatever prototype and tag it was given", () => {
  class Mine {
    x = 1;
  }
  const real = [
    () => new Date(5),
    () => new Map([[1, { a: 1 }]]),
    () => new Set([{ a: 1 }]),
    () => /a/,
    () => new RangeError("r"),
    () => new Mine(),
    ...[1, "s", true, 1n, Symbol("y")].map((value) => () => Object(value) as object),
  ];
  const prototypes = [Date, Map, Set, ArrayBuffer, Uint8Array, RegExp, Error, Mine, Number, BigInt];
  const disguise = fc.record(
    {
      prototype: fc.constantFrom(...prototypes.map((kind) => kind.prototype as object)),
      tag: fc.constantFrom("Date", "Map", "Error", "Object", "RegExp", "BigInt", 1),
    },
    { requiredKeys: [] },
  );
  const attempt = (run: () => unknown): unknown => {
    try {
      return run();
    } catch (error) {
      return `failed: ${(error as Error).name}`;
    }
  };
  fc.assert(
    fc.property(fc.constantFrom(...real), disguise, (make, { prototype, tag }) => {
      const value = make();
      if (prototype !== undefined) Object.setPrototypeOf(value, prototype);
      if (tag !== undefined) Object.defineProperty(value, Symbol.toStringTag, { value: tag });
      const ours = attempt(() => clone(value));
      const nodes = attempt(() => globalThis.structuredClone(value));
      expect(Object.prototype.toString.call(ours)).toBe(Object.prototype.toString.call(nodes));
      expect(ours).toStrictEqual(nodes);
    }),
    { numRuns: 2_000 },
  );
});

test("runs no getter of a tag to tell a map", () => {
  class Mine extends Map<number, number> {
    override get [Symbol.toStringTag](): string {
      throw new Error("asked");
    }
  }
  expect(clone(new Mine([[1, 2]]))).toEqual(new Map([[1, 2]]));
});

test("keeps cycles and shared references", () => {
  const inner = {
    list: [] as unknown[],
    map: new Map<unknown, unknown>(),
    set: new Set<unknown>(),
  };
  inner.list.push(inner);
  inner.map.set(inner, inner.list);
  inner.set.add(inner.map);
  const copy = clone({ a: inner, b: inner });
  expect(copy.a).toBe(copy.b);
  expect(copy.a).not.toBe(inner);
  expect(copy.a.list[0]).toBe(copy.a);
  expect(copy.a.map.get(copy.a)).toBe(copy.a.list);
  expect(copy.a.set.has(copy.a.map)).toBe(true);
});

test("views of one buffer share its copy", () => {
  const buffer = new ArrayBuffer(16, { maxByteLength: 32 });
  const copy = clone({ a: new Uint8Array(buffer, 2, 4), b: new DataView(buffer, 8) });
  expect(copy.a.buffer).toBe(copy.b.buffer);
  expect([copy.a.byteOffset, copy.a.length, copy.b.byteOffset]).toEqual([2, 4, 8]);
  expect([copy.a.buffer.byteLength, (copy.a.buffer as ArrayBuffer).maxByteLength]).toEqual([
    16, 32,
  ]);
});

test("errors keep kind, message, stack and cause, and lose what else they carry", () => {
  class Mine extends RangeError {}
  for (const error of [
    new TypeError("x", { cause: { a: 1 } }),
    new Mine("y"),
    Object.assign(new Error("z"), { name: "Odd", extra: 1 }),
    Object.assign(new SyntaxError("no stack"), { stack: "made up" }),
  ]) {
    const ours = clone(error);
    const nodes = globalThis.structuredClone(error);
    expect(Object.getPrototypeOf(ours)).toBe(Object.getPrototypeOf(nodes));
    expect([ours.message, ours.stack, ours.cause, Object.keys(ours)]).toEqual([
      nodes.message,
      nodes.stack,
      nodes.cause,
      Object.keys(nodes),
    ]);
  }
});

test("regular expressions lose lastIndex, instances their class", () => {
  const pattern = /a(b)/giv;
  pattern.lastIndex = 3;
  const copy = clone(pattern);
  expect([copy.source, copy.flags, copy.lastIndex]).toEqual(["a(b)", "giv", 0]);
  class Point {
    x = 1;
  }
  expect(clone(new Point())).toStrictEqual({ x: 1 });
});

test("a DOMException stays one", () => {
  const copy = clone(new DOMException("m", "AbortError"));
  expect(copy).toBeInstanceOf(DOMException);
  expect([copy.name, copy.message, copy.code]).toEqual(["AbortError", "m", 20]);
});

describe("refuses with DataCloneError", () => {
  const shrunk = new ArrayBuffer(8, { maxByteLength: 8 });
  const outside = [new Uint8Array(shrunk, 4, 4), new DataView(shrunk, 4, 4)] as const;
  shrunk.resize(2);

  test.each([
    ["functions", () => 0],
    ["symbols", Symbol("x")],
    ["boxed symbols", Object(Symbol("x"))],
    ["promises", Promise.resolve()],
    ["weak maps", new WeakMap()],
    ["shared memory", new SharedArrayBuffer(1)],
    ["views of shared memory", new Uint8Array(new SharedArrayBuffer(1))],
    ["arrays outside their buffer", outside[0]],
    ["views outside their buffer", outside[1]],
    ["platform objects", new EventTarget()],
    ["any of them further down", { a: [new Map([[1, () => 0]])] }],
  ])("%s", (_what, value) => {
    expect(() => clone<unknown>(value)).toThrow(
      expect.objectContaining({ name: "DataCloneError" }),
    );
  });

  test("detached buffers, buffers listed twice, and what is no buffer", () => {
    const detached = new ArrayBuffer(1);
    detached.transfer();
    const buffer = new ArrayBuffer(1);
    for (const [value, transfer] of [
      [detached, []],
      [0, [detached]],
      [0, [buffer, buffer]],
      [0, [{}]],
    ] as const) {
      expect(() => clone<unknown>(value, { transfer: [...transfer] })).toThrow(
        expect.objectContaining({ name: "DataCloneError" }),
      );
    }
    expect(buffer.detached).toBe(false);
  });
});

describe("transfer", () => {
  test("moves buffers and their views, and copies the others", () => {
    const moved = new Uint8Array([1, 2, 3, 4]).buffer;
    const kept = new Uint8Array([5]).buffer;
    const value = {
      kept,
      view: new Uint16Array(moved, 2, 1),
      map: new Map<unknown, unknown>([[moved, kept]]),
      moved,
    };
    const copy = clone(value, { transfer: [moved] });
    expect([moved.detached, kept.detached]).toEqual([true, false]);
    expect(new Uint8Array(copy.moved)).toEqual(new Uint8Array([1, 2, 3, 4]));
    expect(copy.view.buffer).toBe(copy.moved);
    expect([copy.view.byteOffset, copy.view.length]).toEqual([2, 1]);
    expect([...copy.map]).toEqual([[copy.moved, copy.kept]]);
    expect(copy.kept).not.toBe(kept);
    expect(Object.keys(copy)).toEqual(["kept", "view", "map", "moved"]);
  });

  test("moves nothing when something cannot be cloned", () => {
    const buffer = new ArrayBuffer(4);
    expect(() => clone([buffer, () => 0] as unknown[], { transfer: [buffer] })).toThrow();
    expect(buffer.detached).toBe(false);
  });

  test("keeps a view that follows the length of its buffer", () => {
    const buffer = new ArrayBuffer(4, { maxByteLength: 64 });
    const fixed = new Uint8Array(buffer, 0, 4);
    const copy = clone([new Float64Array(buffer), fixed] as const, { transfer: [buffer] });
    copy[0].buffer.resize(16);
    expect([copy[0].length, copy[1].length, copy[0].buffer === copy[1].buffer]).toEqual([
      2,
      4,
      true,
    ]);
  });

  test("moves a buffer that the value does not mention", () => {
    const buffer = new ArrayBuffer(4);
    expect(clone(1, { transfer: [buffer] })).toBe(1);
    expect(buffer.detached).toBe(true);
  });
});
