// What `toEqual`, `toStrictEqual` and `toMatchObject` mean, and stand-ins for values (`expect.any(Date)`).

/** loose: a property that is undefined is as one that is missing. subset: more properties than wanted may be there. */
export type Rule = "loose" | "strict" | "subset";

export class Wildcard {
  readonly says: string;
  readonly fits: (value: unknown) => boolean;

  constructor(says: string, fits: (value: unknown) => boolean) {
    this.says = says;
    this.fits = fits;
  }

  toJSON(): string {
    return this.says;
  }
}

export function isEqual(found: unknown, wanted: unknown, rule: Rule): boolean {
  return compare(found, wanted, rule, []);
}

function compare(a: unknown, b: unknown, rule: Rule, above: readonly [object, object][]): boolean {
  if (b instanceof Wildcard) return b.fits(a);
  if (a instanceof Wildcard) return a.fits(b);
  if (Object.is(a, b)) return true;
  if (!isObject(a) || !isObject(b)) return false;
  if (above.some(([left, right]) => left === a && right === b)) return true;
  const isPart = rule === "subset" && !Array.isArray(a) && !Array.isArray(b);
  if (!isPart && kindOf(a) !== kindOf(b)) return false;
  if (rule === "strict" && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const within = [...above, [a, b] as [object, object]];
  const same = (left: unknown, right: unknown): boolean => compare(left, right, rule, within);
  if (a instanceof Error && b instanceof Error) return a.message === b.message && a.name === b.name;
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
  if (a instanceof RegExp && b instanceof RegExp) return String(a) === String(b);
  if (a instanceof ArrayBuffer && b instanceof ArrayBuffer) {
    return same(new Uint8Array(a), new Uint8Array(b));
  }
  if (a instanceof Map && b instanceof Map) return same([...a], [...b]);
  if (a instanceof Set && b instanceof Set) return same([...a], [...b]);
  if (Array.isArray(a) && Array.isArray(b) && a.length !== b.length) return false;
  return hasSameProperties(a, b, rule, same);
}

function hasSameProperties(
  a: object,
  b: object,
  rule: Rule,
  same: (left: unknown, right: unknown) => boolean,
): boolean {
  const keys = new Set(Reflect.ownKeys(b).filter((key) => isCounted(b, key)));
  if (rule !== "subset") {
    for (const key of Reflect.ownKeys(a)) if (isCounted(a, key)) keys.add(key);
  }
  for (const key of keys) {
    if (rule === "strict" && Object.hasOwn(a, key) !== Object.hasOwn(b, key)) return false;
    if (!same(Reflect.get(a, key), Reflect.get(b, key))) return false;
  }
  return true;
}

function isCounted(object: object, key: string | symbol): boolean {
  return Object.prototype.propertyIsEnumerable.call(object, key);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function kindOf(value: object): string {
  return Array.isArray(value) ? "Array" : Object.prototype.toString.call(value);
}

/** Short, for a message. */
export function show(value: unknown): string {
  if (typeof value === "function") return `[function ${value.name}]`;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === "string") return JSON.stringify(value);
  if (!isObject(value)) return String(value);
  try {
    return JSON.stringify(value) ?? Object.prototype.toString.call(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
