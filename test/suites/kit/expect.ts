// `expect` with the matchers that the suites use. A matcher returns whether the value fits; what it was asked is said
// in the message.

import { isEqual, show, Wildcard } from "./equality.ts";
import { isSpy, type Calls } from "./spies.ts";

type Matcher = (value: unknown, ...wanted: readonly unknown[]) => boolean;

function callsOf(value: unknown): Calls {
  if (!isSpy(value)) throw new TypeError(`${show(value)} is not a spy`);
  return value.mock;
}

const same = (a: unknown, b: unknown): boolean => isEqual(a, b, "loose");

const called: Matcher = (value) => callsOf(value).calls.length > 0;
const calledTimes: Matcher = (value, count) => callsOf(value).calls.length === count;
const calledWith: Matcher = (value, ...args) =>
  callsOf(value).calls.some((call) => same(call, args));
const instance: Matcher = (value, wanted) => value instanceof (wanted as Function);
const matches: Matcher = (value, wanted) =>
  wanted instanceof RegExp
    ? wanted.test(value as string)
    : String(value).includes(wanted as string);
const threw: Matcher = (value, wanted) => {
  const thrown = thrownBy(value);
  return thrown !== null && (wanted === undefined || isThrown(thrown.error, wanted));
};

const MATCHERS: Readonly<Record<string, Matcher>> = {
  toBe: (value, wanted) => Object.is(value, wanted),
  toEqual: same,
  toStrictEqual: (value, wanted) => isEqual(value, wanted, "strict"),
  toMatchObject: (value, wanted) => isEqual(value, wanted, "subset"),
  toBeNull: (value) => value === null,
  toBeUndefined: (value) => value === undefined,
  toBeDefined: (value) => value !== undefined,
  toBeTruthy: Boolean,
  toBeFalsy: (value) => !value,
  toBeNaN: (value) => Number.isNaN(value),
  toBeInstanceOf: instance,
  instanceOf: instance,
  toBeTypeOf: (value, wanted) => typeof value === wanted,
  toBeGreaterThan: (value, wanted) => (value as number) > (wanted as number),
  toBeGreaterThanOrEqual: (value, wanted) => (value as number) >= (wanted as number),
  toBeLessThan: (value, wanted) => (value as number) < (wanted as number),
  toBeLessThanOrEqual: (value, wanted) => (value as number) <= (wanted as number),
  toContain: (value, wanted) =>
    typeof value === "string"
      ? value.includes(wanted as string)
      : [...(value as Iterable<unknown>)].includes(wanted),
  toContainEqual: (value, wanted) =>
    [...(value as Iterable<unknown>)].some((each) => same(each, wanted)),
  toHaveLength: (value, wanted) => (value as { readonly length: number }).length === wanted,
  toHaveProperty: hasProperty,
  toMatch: matches,
  match: matches,
  toMatchInlineSnapshot: (value, wanted) => show(value) === wanted,
  toThrow: threw,
  toThrowError: threw,
  toThrowErrorMatchingInlineSnapshot: (value, wanted) =>
    `[${show(thrownBy(value)?.error)}]` === wanted,
  toBeCalled: called,
  toHaveBeenCalled: called,
  toBeCalledTimes: calledTimes,
  toHaveBeenCalledTimes: calledTimes,
  toHaveBeenCalledOnce: (value) => calledTimes(value, 1),
  toBeCalledWith: calledWith,
  toHaveBeenCalledWith: calledWith,
  toHaveBeenNthCalledWith: (value, nth, ...args) =>
    same(callsOf(value).calls[(nth as number) - 1], args),
  toHaveBeenLastCalledWith: (value, ...args) => same(callsOf(value).calls.at(-1), args),
  toHaveReturnedWith: (value, wanted) =>
    callsOf(value).results.some((each) => each.type === "return" && same(each.value, wanted)),
};

function hasProperty(value: unknown, path: unknown, ...wanted: readonly unknown[]): boolean {
  let found: unknown = value;
  for (const key of Array.isArray(path) ? (path as string[]) : String(path).split(".")) {
    if (found === null || found === undefined || !(key in Object(found))) return false;
    found = Reflect.get(Object(found), key);
  }
  return wanted.length === 0 || same(found, wanted[0]);
}

/** Of a function: what it throws. Of anything else: itself, as `rejects` hands it over. */
function thrownBy(value: unknown): { readonly error: unknown } | null {
  if (typeof value !== "function") return { error: value };
  try {
    (value as () => void)();
    return null;
  } catch (error) {
    return { error };
  }
}

function isThrown(error: unknown, wanted: unknown): boolean {
  const message = error instanceof Error ? error.message : String(error);
  if (typeof wanted === "string") return message.includes(wanted);
  if (wanted instanceof RegExp) return wanted.test(message);
  if (wanted instanceof Wildcard) return wanted.fits(error);
  if (typeof wanted === "function") return error instanceof wanted;
  return same(error, wanted);
}

export type Assertions = { readonly [name: string]: unknown };

function assertions(value: unknown, negated: boolean): Assertions {
  const get = (_: object, name: string | symbol): unknown => {
    if (name === "not") return assertions(value, !negated);
    if (name === "resolves") return later(Promise.resolve(value), negated);
    if (name === "rejects") return later(rejectionOf(value), negated);
    const matcher = MATCHERS[String(name)] ?? more[String(name)];
    if (matcher === undefined) throw new Error(`The tool has no matcher ${String(name)}`);
    return (...wanted: readonly unknown[]): void => {
      if (matcher(value, ...wanted) !== negated) return;
      const asked = wanted.map(show).join(", ");
      throw new Error(`expected ${show(value)} ${negated ? "not " : ""}${String(name)} ${asked}`);
    };
  };
  return new Proxy({}, { get });
}

function later(promise: Promise<unknown>, negated: boolean): Assertions {
  const get = (_: object, name: string | symbol): unknown => {
    if (name === "not") return later(promise, !negated);
    return async (...wanted: readonly unknown[]): Promise<void> => {
      const matcher = assertions(await promise, negated)[String(name)];
      (matcher as (...wanted: readonly unknown[]) => void)(...wanted);
    };
  };
  return new Proxy({}, { get });
}

async function rejectionOf(value: unknown): Promise<unknown> {
  let fulfilled: unknown;
  try {
    fulfilled = await (typeof value === "function" ? (value as () => unknown)() : value);
  } catch (error) {
    return error;
  }
  throw new Error(`expected a rejection, found ${show(fulfilled)}`);
}

const PRIMITIVES = new Map<unknown, string>([
  [String, "string"],
  [Number, "number"],
  [Boolean, "boolean"],
  [Function, "function"],
]);

interface Expect {
  (value: unknown): Assertions;
  readonly any: (kind: Function) => Wildcard;
  readonly anything: () => Wildcard;
  readonly stringContaining: (part: string) => Wildcard;
  readonly stringMatching: (pattern: RegExp) => Wildcard;
  readonly objectContaining: (part: object) => Wildcard;
  readonly arrayContaining: (part: readonly unknown[]) => Wildcard;
  readonly assertions: () => void;
  readonly extend: (more: Readonly<Record<string, Custom>>) => void;
}

type Custom = (value: unknown, ...wanted: readonly unknown[]) => { readonly pass: boolean };

const more: Record<string, Matcher> = {};

/** `expect(value).toBe(…)`, `.not`, `.resolves` and `.rejects`. A matcher that is missing here is the tool's fault. */
export const expect: Expect = Object.assign((value: unknown) => assertions(value, false), {
  any: (kind: Function) =>
    new Wildcard(`any ${kind.name}`, (value) => {
      const primitive = PRIMITIVES.get(kind);
      return primitive === undefined ? value instanceof kind : typeof value === primitive;
    }),
  anything: () => new Wildcard("anything", (value) => value !== null && value !== undefined),
  stringContaining: (part: string) =>
    new Wildcard(`…${part}…`, (value) => typeof value === "string" && value.includes(part)),
  stringMatching: (pattern: RegExp) =>
    new Wildcard(String(pattern), (value) => typeof value === "string" && pattern.test(value)),
  objectContaining: (part: object) =>
    new Wildcard(show(part), (value) => isEqual(value, part, "subset")),
  arrayContaining: (part: readonly unknown[]) =>
    new Wildcard(show(part), (value) => {
      return Array.isArray(value) && part.every((each) => value.some((one) => same(one, each)));
    }),
  /** Tests are counted, not assertions. */
  assertions: () => {},
  extend: (custom: Readonly<Record<string, Custom>>) => {
    for (const [name, matcher] of Object.entries(custom)) {
      more[name] = (value, ...wanted) => matcher(value, ...wanted).pass;
    }
  },
});
