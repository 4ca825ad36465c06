// Errors as Node makes them: packages look at `code`.

type Kind = "Error" | "RangeError" | "TypeError";
type Coded = Error & { readonly code: string };

const KINDS: Readonly<Record<Kind, new (message: string) => Error>> = {
  Error,
  RangeError,
  TypeError,
};

export function coded(kind: Kind, code: string, message: string): Coded {
  return Object.assign(new KINDS[kind](message), { code });
}

export function wrongType(name: string, expected: string, value: unknown): Coded {
  const message = `The "${name}" argument must be ${expected}. Received ${received(value)}`;
  return coded("TypeError", "ERR_INVALID_ARG_TYPE", message);
}

export function outOfRange(name: string, expected: string, value: unknown): Coded {
  const message = `The value of "${name}" is out of range. It must be ${expected}. Received ${shown(value)}`;
  return coded("RangeError", "ERR_OUT_OF_RANGE", message);
}

export function checkString(name: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw wrongType(name, "of type string", value);
}

export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== "number") throw wrongType(name, "of type number", value);
  if (!Number.isInteger(value)) throw outOfRange(name, "an integer", value);
  if (value < min || value > max) throw outOfRange(name, `>= ${min} && <= ${max}`, value);
  return value;
}

type Callback = (error: Error | null, ...values: unknown[]) => void;

export function checkCallback(value: unknown): Callback {
  if (typeof value === "function") return value as Callback;
  throw wrongType("callback", "of type function", value);
}

function received(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "function") return `function ${value.name}`;
  if (typeof value === "object") {
    const name: unknown = Reflect.get(Object(Reflect.get(value, "constructor")), "name");
    return typeof name === "string" && name !== "" ? `an instance of ${name}` : "an object";
  }
  return `type ${typeof value} (${shown(value)})`;
}

function shown(value: unknown): string {
  return typeof value === "string" ? `'${value}'` : String(value);
}
