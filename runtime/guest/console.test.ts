import { beforeEach, describe, expect, test } from "vitest";
import { LOG_LINE_BYTES_MAX } from "../../sdk/limits.ts";
import { thawClock } from "./clock.ts";
import { console as guestConsole, thawConsole } from "./console.ts";
import { inspect } from "./inspect.ts";
import type { Port } from "./port.ts";

function unexpected(): never {
  throw new Error("Nothing here calls a service.");
}

let lines: string[] = [];
let now = 0;
const refused = (): Promise<never> => Promise.reject(new Error("not here"));
const port: Port = {
  now: () => now,
  monotonic: () => now,
  fetch: refused,
  begin: unexpected,
  waitUntil: () => false,
  exports: () => null,
  cancel: unexpected,
  bytesCall: refused,
  setTimer: () => undefined,
  timersMax: 10,
  memoryBytes: 2 ** 27,
  clearTimer: () => undefined,
  log: (level, text) => lines.push(`${level} ${text}`),
};

beforeEach(() => {
  lines = [];
});

// In the order of the file: the first test runs before thaw.
test("what is logged at top level waits for thaw, the first hundred lines", () => {
  for (let i = 0; i < 101; i++) guestConsole.log(i);
  expect(lines).toEqual([]);
  thawClock(port);
  thawConsole(port);
  expect(lines).toHaveLength(100);
  expect([lines[0], lines[99]]).toEqual(["info 0", "info 99"]);
});

test("each method has its level", () => {
  guestConsole.debug("a");
  guestConsole.log("b", 1, null);
  guestConsole.info("c");
  guestConsole.warn("d");
  guestConsole.error("e", { x: [1] });
  expect(lines).toEqual(["debug a", "info b 1 null", "info c", "warn d", "error e { x: [ 1 ] }"]);
});

test("format specifiers take their arguments, the rest follows", () => {
  guestConsole.log("%s is %d%% %i %f %o %c!", "x", "42", 1.9, "2.5", { a: 1 }, "css", "more");
  guestConsole.log("%s %x", "a");
  guestConsole.log("100%", 1);
  guestConsole.log("%s");
  expect(lines).toEqual([
    "info x is 42% 1 2.5 { a: 1 } ! more",
    "info a %x",
    "info 100% 1",
    "info %s",
  ]);
});

test("groups indent, counts count, timers measure, assertions complain", () => {
  guestConsole.group("g");
  guestConsole.log("a\nb");
  guestConsole.groupEnd();
  guestConsole.groupEnd();
  guestConsole.count();
  guestConsole.count("x");
  guestConsole.count();
  guestConsole.countReset();
  guestConsole.count();
  guestConsole.time("t");
  now += 12.5;
  guestConsole.timeLog("t", "so far");
  guestConsole.timeEnd("t");
  guestConsole.timeEnd("t");
  guestConsole.assert(true, "no");
  guestConsole.assert(false, "yes %s", 1);
  guestConsole.assert(false);
  expect(lines).toEqual([
    "info g",
    "info   a\n  b",
    "info default: 1",
    "info x: 1",
    "info default: 2",
    "info default: 1",
    "info t: 12.5ms so far",
    "info t: 12.5ms",
    "warn Timer 't' does not exist",
    "error Assertion failed: yes 1",
    "error Assertion failed",
  ]);
});

test("tables are drawn, and what is no table is printed", () => {
  guestConsole.table([{ a: 1, b: "x" }, { a: 2 }, 3]);
  guestConsole.table(5);
  expect(lines).toEqual([
    `info ${[
      "┌─────────┬───┬─────┬────────┐",
      "│ (index) │ a │ b   │ Values │",
      "├─────────┼───┼─────┼────────┤",
      "│ 0       │ 1 │ 'x' │        │",
      "│ 1       │ 2 │     │        │",
      "│ 2       │   │     │ 3      │",
      "└─────────┴───┴─────┴────────┘",
    ].join("\n")}`,
    "info 5",
  ]);
});

test("trace shows where it was called", () => {
  guestConsole.trace("here %d", 1);
  expect(lines[0]).toMatch(/^debug Trace: here 1\n +at .*console\.test\.ts/);
});

test("a line as long as allowed stays whole, a longer one is cut", () => {
  guestConsole.log("x".repeat(LOG_LINE_BYTES_MAX));
  guestConsole.log("x".repeat(LOG_LINE_BYTES_MAX + 1));
  expect(lines[0]).toBe(`info ${"x".repeat(LOG_LINE_BYTES_MAX)}`);
  expect(lines[1]).toBe(`info ${"x".repeat(LOG_LINE_BYTES_MAX)}… [cut]`);
});

describe("inspect", () => {
  class Point {
    x = 1;
    get y(): number {
      throw new Error("getters must not run");
    }
  }
  const cyclic: Record<string, unknown> = { a: 1 };
  cyclic["self"] = cyclic;

  test.each([
    ["null", null],
    ["undefined", undefined],
    ["-0", -0],
    ["12n", 12n],
    ["'it'", "it"],
    ['"it\'s"', "it's"],
    ["Symbol(s)", Symbol("s")],
    ["[Function: f]", function f() {}],
    ["[class Point]", Point],
    ["Point { x: 1 }", new Point()],
    ["{ a: 1, 'b-c': [ 2, 3 ] }", { a: 1, "b-c": [2, 3] }],
    ["{ a: 1, self: [Circular] }", cyclic],
    ["[ 1, <2 empty items>, 2 ]", Object.assign([1], { 3: 2 })],
    ["[ 1, extra: 2 ]", Object.assign([1], { extra: 2 })],
    ["Map(1) { 'k' => { v: 1 } }", new Map([["k", { v: 1 }]])],
    ["Set(2) { 1, 'x' }", new Set([1, "x"])],
    ["Uint8Array(2) [ 1, 2 ]", new Uint8Array([1, 2])],
    ["ArrayBuffer { byteLength: 3 }", new ArrayBuffer(3)],
    ["1970-01-01T00:00:00.000Z", new Date(0)],
    ["Invalid Date", new Date(Number.NaN)],
    ["/a/g", /a/g],
    ["[Number: 3]", Object(3)],
    ["[Object: null prototype] { a: 1 }", Object.assign(Object.create(null) as object, { a: 1 })],
    [
      "{ g: [Getter], s: [Setter] }",
      {
        get g() {
          throw new Error("ran");
        },
        set s(_: number) {},
      },
    ],
    ["{ a: { b: { c: { d: [Object] } } } }", { a: { b: { c: { d: { e: 1 } } } } }],
    ["{ [Symbol(k)]: 1 }", { [Symbol("k")]: 1 }],
    ["Promise {}", Promise.resolve(1)],
  ])("%s", (expected, value) => {
    expect(inspect(value)).toBe(expected);
  });

  test("shows errors by their stack, with cause and what else they carry", () => {
    const error = Object.assign(new TypeError("bad", { cause: new Error("why") }), { code: "E" });
    const text = inspect(error);
    expect(text).toMatch(/^TypeError: bad\n +at /);
    expect(text).toContain("code: 'E'");
    expect(text).toContain("[cause]: Error: why\n");
    expect(inspect(Object.assign(new Error("m"), { stack: undefined }))).toContain("Error: m");
  });

  test("survives objects that fight back", () => {
    const throwing = new Proxy(
      {},
      new Proxy(
        {},
        {
          get: () => () => {
            throw new Error("trap");
          },
        },
      ),
    );
    const endless: object = new Proxy({}, { getPrototypeOf: () => endless, ownKeys: () => [] });
    const hostile: unknown[] = [
      throwing,
      endless,
      Proxy.revocable({}, {}).proxy,
      {
        toString() {
          throw new Error("x");
        },
        [Symbol.toPrimitive]() {
          throw new Error("x");
        },
      },
      {
        get [Symbol.toStringTag](): string {
          throw new Error("x");
        },
      },
      Object.defineProperty(new Error("x"), "stack", {
        get() {
          throw new Error("x");
        },
      }),
      Object.setPrototypeOf([], null) as unknown,
      Object.setPrototypeOf(new Map(), null) as unknown,
      Object.setPrototypeOf(() => 0, null) as unknown,
    ];
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    hostile.push(proxy, [proxy], { proxy });
    for (const value of hostile) expect(typeof inspect(value)).toBe("string");
    guestConsole.log("%s %d %o", throwing, throwing, throwing);
    guestConsole.table(throwing);
    guestConsole.log(Object.create(null));
    expect(lines).toHaveLength(3);
  });

  test("stops at fixed amounts", () => {
    const before = process.threadCpuUsage();
    const wide = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`k${i}`, i]));
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    const bushy: unknown[] = [];
    for (let i = 0; i < 100; i++)
      bushy.push(
        Array.from({ length: 100 }, () => Array.from({ length: 100 }, (): unknown => bushy)),
      );
    const huge: unknown[] = [];
    huge.length = 2 ** 32 - 1;
    for (const value of [
      wide,
      deep,
      bushy,
      huge,
      "x".repeat(1e6),
      new Uint8Array(1e7),
      3n ** 100_000n,
    ]) {
      expect(inspect(value).length).toBeLessThan(100_000);
    }
    expect(inspect(Array.from({ length: 101 }, () => 0))).toContain("… 1 more items");
    expect(inspect(Array.from({ length: 100 }, () => 0))).not.toContain("more items");
    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(3_000);
  });
});
