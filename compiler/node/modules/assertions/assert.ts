// node:assert, and what node:assert/strict has under the same names.

import { inspect } from "node:util";
import { coded, wrongType } from "../errors.ts";
import { AssertionError } from "./assertion-error.ts";
import { isDeepEqual, isDeepStrictEqual, isLooselyEqual } from "./comparison.ts";
import { expectFailure, expectNoFailure } from "./expectation.ts";
import type { Caught } from "./expectation.ts";

export { AssertionError } from "./assertion-error.ts";

type Message = string | Error;
type Compare = (actual: unknown, expected: unknown, message?: Message) => void;
type Run = () => unknown;
type Callable = (...args: never[]) => unknown;

/** `actual`, `expected` and `operator` are told, unless the caller has a message. */
function fails(
  values: { readonly actual?: unknown; readonly expected?: unknown; readonly operator: string },
  message: Message | undefined,
  stackStartFn: Callable,
): Error {
  if (message instanceof Error) return message;
  return new AssertionError({ ...values, message, stackStartFn });
}

function comparison(operator: string, isMet: (a: unknown, b: unknown) => boolean): Compare {
  return function compare(...args): void {
    const [actual, expected, message] = args;
    if (args.length < 2) throw missing('"actual" and "expected"');
    if (!isMet(actual, expected)) throw fails({ actual, expected, operator }, message, compare);
  };
}

function missing(names: string): Error {
  const verb = names.includes(" and ") ? "arguments" : "argument";
  return coded("TypeError", "ERR_MISSING_ARGS", `The ${names} ${verb} must be specified`);
}

const not =
  (isMet: (a: unknown, b: unknown) => boolean) =>
  (a: unknown, b: unknown): boolean =>
    !isMet(a, b);

export function ok(...args: [value?: unknown, message?: Message]): void {
  const [value, message] = args;
  if (value) return;
  const none = args.length === 0 ? "No value argument passed to `assert.ok()`" : FALSY;
  if (message instanceof Error) throw message;
  const failure = { actual: value, expected: true, operator: "==", stackStartFn: ok };
  const error = new AssertionError({ ...failure, message: message ?? none });
  throw Object.assign(error, { generatedMessage: message === undefined });
}

const FALSY = "The expression evaluated to a falsy value";

export const equal: Compare = comparison("==", isLooselyEqual);
export const notEqual: Compare = comparison("!=", not(isLooselyEqual));
export const strictEqual: Compare = comparison("strictEqual", Object.is);
export const notStrictEqual: Compare = comparison("notStrictEqual", not(Object.is));
export const deepEqual: Compare = comparison("deepEqual", isDeepEqual);
export const notDeepEqual: Compare = comparison("notDeepEqual", not(isDeepEqual));
export const deepStrictEqual: Compare = comparison("deepStrictEqual", isDeepStrictEqual);
export const notDeepStrictEqual: Compare = comparison("notDeepStrictEqual", not(isDeepStrictEqual));

export function fail(message?: Message): never {
  if (message instanceof Error) throw message;
  const error = new AssertionError({
    message: message ?? "Failed",
    operator: "fail",
    stackStartFn: fail,
  });
  throw Object.assign(error, { generatedMessage: message === undefined });
}

export function ifError(value: unknown): void {
  if (value === null || value === undefined) return;
  const told = value instanceof Error ? value.message || value.name : inspect(value);
  const message = `ifError got unwanted exception: ${told}`;
  throw new AssertionError({
    actual: value,
    expected: null,
    operator: "ifError",
    message,
    stackStartFn: ifError,
  });
}

function caughtOf(run: Run): Caught | null {
  if (typeof run !== "function") throw wrongType("fn", "of type function", run);
  try {
    run();
  } catch (error) {
    return { error };
  }
  return null;
}

async function rejectionOf(work: Run | PromiseLike<unknown>): Promise<Caught | null> {
  const promise: unknown = typeof work === "function" ? work() : work;
  if (typeof (promise as PromiseLike<unknown> | null)?.then !== "function") {
    if (typeof work !== "function") {
      throw wrongType("promiseFn", "of type function or an instance of Promise", work);
    }
    const got = inspect(promise);
    const text = `Expected instance of Promise to be returned from the "promiseFn" function but got ${got}.`;
    throw coded("TypeError", "ERR_INVALID_RETURN_VALUE", text);
  }
  try {
    await (promise as PromiseLike<unknown>);
  } catch (error) {
    return { error };
  }
  return null;
}

export function throws(run: Run, expected?: unknown, message?: Message): void {
  expectFailure(caughtOf(run), { operator: "throws", expected, message, stackStartFn: throws });
}

export function doesNotThrow(run: Run, expected?: unknown, message?: Message): void {
  const asked = {
    operator: "doesNotThrow",
    expected,
    message,
    stackStartFn: doesNotThrow,
  } as const;
  expectNoFailure(caughtOf(run), asked);
}

type Work = Run | PromiseLike<unknown>;

export async function rejects(work: Work, expected?: unknown, message?: Message): Promise<void> {
  const caught = await rejectionOf(work);
  expectFailure(caught, { operator: "rejects", expected, message, stackStartFn: rejects });
}

export async function doesNotReject(
  work: Work,
  expected?: unknown,
  message?: Message,
): Promise<void> {
  const asked = {
    operator: "doesNotReject",
    expected,
    message,
    stackStartFn: doesNotReject,
  } as const;
  expectNoFailure(await rejectionOf(work), asked);
}

export function match(text: string, pattern: RegExp, message?: Message): void {
  matching(text, pattern, { message, operator: "match", stackStartFn: match });
}

export function doesNotMatch(text: string, pattern: RegExp, message?: Message): void {
  matching(text, pattern, { message, operator: "doesNotMatch", stackStartFn: doesNotMatch });
}

interface Matching {
  readonly message: Message | undefined;
  readonly operator: "doesNotMatch" | "match";
  readonly stackStartFn: Callable;
}

function matching(
  text: unknown,
  pattern: RegExp,
  { message, operator, stackStartFn }: Matching,
): void {
  if (!(pattern instanceof RegExp)) throw wrongType("regexp", "an instance of RegExp", pattern);
  const isMatch = operator === "match";
  const isText = typeof text === "string";
  if (isText && pattern.test(text) === isMatch) return;
  if (message instanceof Error) throw message;
  const was = isMatch ? "did not match the" : "was expected to not match the";
  const told = isText
    ? `The input ${was} regular expression ${inspect(pattern)}. Input:\n\n${inspect(text)}\n`
    : `The "string" argument must be of type string. Received type ${typeof text} (${inspect(text)})`;
  const failure = { actual: text, expected: pattern, operator, stackStartFn };
  const error = new AssertionError({ ...failure, message: message ?? told });
  throw Object.assign(error, { generatedMessage: message === undefined });
}

type Shared =
  "AssertionError" | "deepStrictEqual" | "doesNotMatch" | "doesNotReject" | "doesNotThrow" | "fail" | "ifError" |
  "match" | "notDeepStrictEqual" | "notStrictEqual" | "ok" | "rejects" | "strictEqual" | "throws"; // prettier-ignore

interface Members extends Readonly<Record<Shared, Callable | typeof AssertionError>> {
  readonly deepEqual: Compare;
  readonly equal: Compare;
  readonly notDeepEqual: Compare;
  readonly notEqual: Compare;
}

const shared: Readonly<Record<Shared, Callable | typeof AssertionError>> = {
  AssertionError, deepStrictEqual, doesNotMatch, doesNotReject, doesNotThrow, fail, ifError, match, notDeepStrictEqual,
  notStrictEqual, ok, rejects, strictEqual, throws,
}; // prettier-ignore

export interface Assert extends Members {
  (value?: unknown, message?: Message): void;
  readonly strict: Assert;
}

function callable(members: Members): Members {
  const assert = (...args: [unknown?, Message?]): void => ok(...args);
  return Object.assign(assert, members);
}

/** The same under the strict names alone. */
export const strict: Assert = callable({
  ...shared,
  equal: strictEqual,
  notEqual: notStrictEqual,
  deepEqual: deepStrictEqual,
  notDeepEqual: notDeepStrictEqual,
}) as Assert;
/** The module as a whole, which is a function. */
export const assert: Assert = callable({
  ...shared,
  equal,
  notEqual,
  deepEqual,
  notDeepEqual,
}) as Assert;
Object.assign(strict, { strict });
Object.assign(assert, { strict });
