// Whether two values are the same all the way down: strictly, as node:util and node:assert/strict ask, or by `==`.

import * as types from "node:util/types";

interface Walk {
  readonly isStrict: boolean;
  /** Pairs that are being compared: a circle is what its counterpart is. */
  readonly seen: Map<unknown, unknown>;
}

export function isDeepStrictEqual(a: unknown, b: unknown): boolean {
  return areEqual(a, b, { isStrict: true, seen: new Map() });
}

export function isDeepEqual(a: unknown, b: unknown): boolean {
  return areEqual(a, b, { isStrict: false, seen: new Map() });
}

export function isLooselyEqual(a: unknown, b: unknown): boolean {
  // oxlint-disable-next-line eqeqeq -- what the function is for.
  return a == b || (Number.isNaN(a) && Number.isNaN(b));
}

function areEqual(a: unknown, b: unknown, walk: Walk): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    return !walk.isStrict && typeof a !== "object" && isLooselyEqual(a, b);
  }
  if (walk.isStrict && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (kindOf(a) !== kindOf(b)) return false;
  if (walk.seen.get(a) === b) return true;
  walk.seen.set(a, b);
  const same = haveEqualContent(a, b, walk) && haveEqualFields(a, b, walk);
  if (!same) walk.seen.delete(a);
  return same;
}

function kindOf(value: object): string {
  return Object.prototype.toString.call(value);
}

function haveEqualContent(a: object, b: object, walk: Walk): boolean {
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime());
  if (a instanceof RegExp) {
    return a.toString() === (b as RegExp).toString() && a.lastIndex === (b as RegExp).lastIndex;
  }
  if (a instanceof Error) {
    const other = b as Error;
    const sameCause = areEqual(a.cause, other.cause, walk);
    return a.message === other.message && a.name === other.name && sameCause;
  }
  if (types.isBoxedPrimitive(a)) return Object.is(a.valueOf(), b.valueOf());
  if (a instanceof Map) return hasEqualEntries(a, b as Map<unknown, unknown>, walk);
  if (a instanceof Set) return hasEqualMembers(a, b as Set<unknown>, walk);
  if (a instanceof WeakMap || a instanceof WeakSet || a instanceof Promise) return false;
  return (
    !(a instanceof ArrayBuffer) ||
    areEqual(new Uint8Array(a), new Uint8Array(b as ArrayBuffer), walk)
  );
}

function hasEqualMembers(a: ReadonlySet<unknown>, b: ReadonlySet<unknown>, walk: Walk): boolean {
  if (a.size !== b.size) return false;
  const others = new Set(b);
  return [...a].every((one) => {
    if (others.delete(one)) return true;
    const match = [...others].find((other) => areEqual(one, other, walk));
    return match !== undefined && others.delete(match);
  });
}

function hasEqualEntries(
  a: ReadonlyMap<unknown, unknown>,
  b: ReadonlyMap<unknown, unknown>,
  walk: Walk,
): boolean {
  if (a.size !== b.size) return false;
  const others = [...b];
  return [...a].every((entry) =>
    b.has(entry[0])
      ? areEqual(entry[1], b.get(entry[0]), walk)
      : others.some((other) => areEqual(entry, other, walk)),
  );
}

function haveEqualFields(a: object, b: object, walk: Walk): boolean {
  const fields = fieldsOf(a, walk);
  if (fields.length !== fieldsOf(b, walk).length) return false;
  return fields.every(
    (field) =>
      Object.hasOwn(b, field) && areEqual(Reflect.get(a, field), Reflect.get(b, field), walk),
  );
}

function fieldsOf(value: object, { isStrict }: Walk): readonly (string | symbol)[] {
  const names = Object.keys(value);
  if (!isStrict) return names;
  const isShown = (symbol: symbol): boolean =>
    Object.prototype.propertyIsEnumerable.call(value, symbol);
  return [...names, ...Object.getOwnPropertySymbols(value).filter(isShown)];
}
