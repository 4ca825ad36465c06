// What makes a plain class look like a Web IDL interface: enumerable members, a toStringTag that cannot be
// assigned, constants. The platform's classes call it once, at import.

const prototypes = new WeakSet<object>();
const addPrototype = prototypes.add.bind(prototypes);
const isPrototype = prototypes.has.bind(prototypes);
const prototypeOf = Reflect.getPrototypeOf;

/** Whether `value` inherits from one of the platform's interfaces. */
export function isPlatformObject(value: object): boolean {
  for (let each = prototypeOf(value); each !== null; each = prototypeOf(each)) {
    if (isPrototype(each)) return true;
  }
  return false;
}

type Constructor = abstract new (...args: never[]) => unknown;

export function exposeInterface(constructor: Constructor, name: string): void {
  const prototype = constructor.prototype as object;
  addPrototype(prototype);
  for (const key of Object.getOwnPropertyNames(prototype)) {
    if (key === "constructor") continue;
    Object.defineProperty(prototype, key, { enumerable: true });
  }
  for (const key of Object.getOwnPropertyNames(constructor)) {
    if (key === "length" || key === "name" || key === "prototype") continue;
    Object.defineProperty(constructor, key, { enumerable: true });
  }
  Object.defineProperty(constructor, "name", { value: name, configurable: true });
  Object.defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true });
}

/** Constants that stand on the constructor and on its prototype, unchangeable. */
export function defineConstants(
  constructor: Constructor,
  constants: Readonly<Record<string, number>>,
): void {
  for (const target of [constructor, constructor.prototype as object]) {
    for (const key of Object.keys(constants)) {
      Object.defineProperty(target, key, { value: constants[key], enumerable: true });
    }
  }
}
