// Our node:assert against Node's own: what passes, and what failures say.

import real from "node:assert";
import { inspect } from "node:util";
import { expect, test } from "vitest";
import { assert } from "./assert.ts";

type Assert = typeof real;
const ours = assert as unknown as Assert;

/** Without an error's stack. */
const first = (text: string): string | undefined => text.split("\n")[0];

/** What is told of a failure; of generated messages where the values are objects, only the first line. */
function told(run: (assert: Assert) => unknown, assert: Assert): unknown {
  try {
    run(assert);
    return "passed";
  } catch (error) {
    const { name, message, code, operator, actual, expected, generatedMessage } =
      error as real.AssertionError;
    const [text] = /^Expected values to be .*deep-equal/.test(message)
      ? message.split("\n")
      : [message];
    return {
      name,
      text,
      code,
      operator,
      actual: first(inspect(actual)),
      expected: first(inspect(expected)),
      generatedMessage,
    };
  }
}

const circle = (): object => Object.assign({ a: 1 }, { self: null }, { list: [new Date(3), /x/g] });
const looped = (): object => {
  const one = circle();
  return Object.assign(one, { self: one });
};
const sparse = (): unknown =>
  new Map<unknown, unknown>([
    [{ k: 1 }, new Set([1, { b: 2 }])],
    ["z", 0],
  ]);
class Own {
  x = 1;
}

test.each<[string, (assert: Assert) => unknown]>([
  ["a truth", (a) => a(1)],
  ["an untruth with words", (a) => a.ok(0, "words")],
  ["an untruth with an error", (a) => a(false, new RangeError("own"))],
  ["nothing at all", (a) => void Reflect.apply(a.ok, null, [])],
  ["equal by ==", (a) => a.equal("1", 1)],
  ["unequal by ==", (a) => a.equal(1, 2)],
  ["no value to compare with", (a) => void Reflect.apply(a.equal, null, [1])],
  ["NaN", (a) => a.equal(Number.NaN, Number.NaN)],
  ["not unequal", (a) => a.notEqual(1, 1)],
  ["strictly unequal", (a) => a.strictEqual(1, 2)],
  ["zeros", (a) => a.notStrictEqual(0, -0)],
  ["not strictly unequal", (a) => a.notStrictEqual("a", "a")],
  ["deeply the same", (a) => a.deepStrictEqual([looped(), sparse()], [looped(), sparse()])],
  ["deeply other", (a) => a.deepStrictEqual({ a: [1, 2] }, { a: [1, 3] })],
  ["loosely the same", (a) => a.deepEqual({ a: "1", b: [2] }, { a: 1, b: ["2"] })],
  ["loosely other", (a) => a.deepEqual({ a: 1 }, { a: 1, b: 1 })],
  ["other kinds", (a) => a.deepStrictEqual([], {})],
  ["other classes", (a) => a.deepStrictEqual(new Own(), { x: 1 })],
  ["other classes loosely", (a) => a.deepEqual(new Own(), { x: 1 })],
  ["other sets", (a) => a.deepStrictEqual(new Set([1, { a: 1 }]), new Set([1, { a: 2 }]))],
  ["sets of like objects", (a) => a.deepStrictEqual(new Set([{ a: 1 }, { a: 1 }]), new Set([{ a: 1 }, { a: 2 }]))],
  ["symbols as names", (a) => a.deepStrictEqual({ [Symbol.for("a")]: 1 }, { [Symbol.for("a")]: 2 })],
  ["bytes", (a) => a.deepStrictEqual(new Uint8Array([1, 2]), new Uint8Array([1, 2]))],
  ["other bytes", (a) => a.deepStrictEqual(new Uint8Array([1, 2]), new Uint8Array([1, 3]))],
  ["errors with causes", (a) => a.notDeepStrictEqual(new Error("a", { cause: 1 }), new Error("a", { cause: 2 }))],
  ["not deeply other", (a) => a.notDeepStrictEqual({ a: 1 }, { a: 2 })],
  ["a throw", (a) => a.throws(() => { throw new RangeError("no"); }, RangeError)],
  ["a throw by its text", (a) => a.throws(() => { throw new RangeError("no"); }, /^RangeError: no$/)],
  ["a throw by its fields", (a) => a.throws(() => { throw Object.assign(new RangeError("no"), { code: "C" }); }, { name: "RangeError", message: /n/, code: "C" })],
  ["a throw that is told", (a) => a.throws(() => { throw new RangeError("no"); }, (error: Error) => error.message === "no")],
  ["a throw of another text", (a) => a.throws(() => { throw new RangeError("no"); }, /yes/)],
  ["a throw with words", (a) => a.throws(() => { throw new RangeError("no"); }, { message: "yes" }, "words")],
  ["no throw", (a) => a.throws(() => undefined)],
  ["no throw of a class", (a) => a.throws(() => undefined, TypeError, "words")],
  ["no function to throw", (a) => a.throws("text" as never)],
  ["an unwanted throw", (a) => a.doesNotThrow(() => { throw new RangeError("no"); }, "words")],
  ["no error", (a) => a.ifError(null)],
  ["an error", (a) => a.ifError(new RangeError("no"))],
  ["a failure", (a) => a.fail()],
  ["a failure with words", (a) => a.fail("words")],
  ["a match", (a) => a.match("abc", /b/)],
  ["no match", (a) => a.match("abc", /x/)],
  ["an unwanted match", (a) => a.doesNotMatch("abc", /b/)],
  ["strict forms", (a) => a.strict.equal("1", 1)],
  ["strict forms of strict forms", (a) => a.strict.strict.deepEqual({ a: 1 }, { a: "1" })],
])("%s: as Node's", (_, run) => {
  expect(told(run, ours)).toEqual(told(run, real));
}); // prettier-ignore

test("rejections are awaited", async () => {
  const broken = async (): Promise<never> => Promise.reject(new RangeError("no"));
  await ours.rejects(broken, RangeError);
  await ours.rejects(broken(), { message: "no" });
  await ours.doesNotReject(async () => 1);
  await expect(ours.rejects(async () => 1)).rejects.toThrow("Missing expected rejection.");
  await expect(ours.doesNotReject(broken)).rejects.toThrow("Got unwanted rejection.");
  await expect(ours.rejects((() => 1) as never)).rejects.toMatchObject({
    code: "ERR_INVALID_RETURN_VALUE",
  });
});
