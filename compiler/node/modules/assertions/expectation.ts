// What `throws` and `rejects` were told to expect, against what came.

import { inspect } from "node:util";
import { wrongType } from "../errors.ts";
import { AssertionError } from "./assertion-error.ts";
import type { Failure } from "./assertion-error.ts";
import { isDeepStrictEqual } from "./comparison.ts";

type Callable = (...args: never[]) => unknown;

export interface Caught {
  readonly error: unknown;
}

interface Asked {
  readonly operator: "doesNotReject" | "doesNotThrow" | "rejects" | "throws";
  readonly expected: unknown;
  readonly message: unknown;
  readonly stackStartFn: Callable;
}

/** Fails unless what was caught is what was expected. */
export function expectFailure(caught: Caught | null, asked: Asked): void {
  const { operator, stackStartFn } = asked;
  // One text may stand in the place of what is expected.
  const isText = typeof asked.expected === "string";
  const expected = isText ? undefined : asked.expected;
  const message = isText ? asked.expected : asked.message;
  if (caught === null) {
    if (message instanceof Error) throw message;
    const name =
      typeof expected === "function" && expected.name !== "" ? ` (${expected.name})` : "";
    const text = typeof message === "string" ? `: ${message}` : ".";
    const what = operator === "rejects" ? "rejection" : "exception";
    throw failed({
      expected,
      operator,
      message: `Missing expected ${what}${name}${text}`,
      stackStartFn,
    });
  }
  if (expected !== undefined) matchError(caught.error, expected, { ...asked, message });
}

/** Fails when anything was caught; what was not meant is thrown on. */
export function expectNoFailure(caught: Caught | null, asked: Asked): void {
  if (caught === null) return;
  const { operator, stackStartFn } = asked;
  const isText = typeof asked.expected === "string";
  const expected = isText ? undefined : asked.expected;
  const message = isText ? asked.expected : asked.message;
  const isMeant = typeof expected !== "function" || isInstance(caught.error, expected);
  if (!isMeant) throw caught.error;
  const what = operator === "doesNotReject" ? "rejection" : "exception";
  const given = typeof message === "string" ? `: ${message}` : ".";
  const actual: unknown = Reflect.get(Object(caught.error), "message");
  const text = `Got unwanted ${what}${given}\nActual message: "${String(actual)}"`;
  throw failed({ actual: caught.error, expected, operator, message: text, stackStartFn });
}

function matchError(error: unknown, expected: unknown, asked: Asked): void {
  if (typeof expected === "function") {
    matchFunction(error, expected as Callable, asked);
    return;
  }
  if (typeof expected !== "object" || expected === null) {
    throw wrongType(
      "expected",
      "of type function or an instance of Error, RegExp, or Object",
      expected,
    );
  }
  if (expected instanceof RegExp) {
    if (expected.test(String(error))) return;
    const head = `The input did not match the regular expression ${inspect(expected)}.`;
    const text = `${head} Input:\n\n${inspect(String(error))}\n`;
    throw unmet(error, asked, text);
  }
  const names =
    expected instanceof Error
      ? ["message", "name", ...Object.keys(expected)]
      : Object.keys(expected);
  for (const name of names) {
    const is: unknown = Reflect.get(Object(error), name);
    const should: unknown = Reflect.get(expected, name);
    const matches =
      should instanceof RegExp && typeof is === "string"
        ? should.test(is)
        : isDeepStrictEqual(is, should);
    if (!matches) throw unmet(error, asked);
  }
}

function matchFunction(error: unknown, expected: Callable, asked: Asked): void {
  if (isInstance(error, expected)) return;
  if (isErrorClass(expected)) {
    const { message } = asked;
    if (message !== undefined) throw unmet(error, asked);
    const text = `The error is expected to be an instance of "${expected.name}". Received ${received(error)}`;
    throw unmet(error, asked, text);
  }
  if (isClass(expected)) throw unmet(error, asked);
  const answer: unknown = Reflect.apply(expected, {}, [error]);
  if (answer === true) return;
  const name = expected.name === "" ? "" : `"${expected.name}" `;
  const told = `The ${name}validation function is expected to return "true".`;
  const text = `${told} Received ${inspect(answer)}\n\nCaught error:\n\n${inspect(error)}`;
  throw unmet(error, asked, text);
}

function received(error: unknown): string {
  const { constructor, message } = Object(error) as Partial<Error>;
  return error instanceof Error
    ? `"${constructor?.name}"\n\nError message:\n\n${message}`
    : `"${inspect(error)}"`;
}

function unmet(actual: unknown, asked: Asked, text?: string): Error {
  const { message, expected, operator, stackStartFn } = asked;
  if (message instanceof Error) return message;
  const given = typeof message === "string" ? message : text;
  const error = failed({
    actual,
    expected,
    operator: "deepStrictEqual",
    message: given,
    stackStartFn,
  });
  return Object.assign(error, { operator, generatedMessage: message === undefined });
}

function failed(failure: Failure): AssertionError {
  return new AssertionError(failure);
}

function isErrorClass(value: Callable): boolean {
  return value === (Error as unknown) || Object.prototype.isPrototypeOf.call(Error, value);
}

function isClass(value: Callable): boolean {
  return Function.prototype.toString.call(value).startsWith("class");
}

function isInstance(error: unknown, kind: unknown): boolean {
  const hasPrototype = typeof kind === "function" && kind.prototype !== undefined;
  return hasPrototype && error instanceof (kind as new () => unknown);
}
