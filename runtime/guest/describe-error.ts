// Anything that can be thrown, as three strings. Looks at author objects only under try, each property once,
// and takes nothing but strings: a getter may throw, lie or return something else.

/** UTF-16 units of each string; what is longer is cut. The log's own limit is below this. */
const TEXT_MAX = 8192;
const apply = Reflect.apply;
const slice = String.prototype.slice;

export interface Described {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

function cut(text: string): string {
  return text.length > TEXT_MAX ? (apply(slice, text, [0, TEXT_MAX]) as string) : text;
}

function textOf(thrown: object, key: "name" | "message" | "stack"): string | null {
  try {
    const value = (thrown as Record<string, unknown>)[key];
    return typeof value === "string" ? cut(value) : null;
  } catch {
    // A getter or a Proxy's trap threw, or the stack is exhausted: as good as absent.
    return null;
  }
}

export function describeError(thrown: unknown): Described {
  if ((typeof thrown === "object" && thrown !== null) || typeof thrown === "function") {
    const name = textOf(thrown, "name");
    const message = textOf(thrown, "message");
    const stack = textOf(thrown, "stack");
    const known = name !== null || message !== null;
    return {
      name: name ?? "Error",
      message: message ?? (known ? "" : "Something that is no Error was thrown."),
      stack: stack ?? "",
    };
  }
  const message = typeof thrown === "symbol" ? "A symbol was thrown." : cut(`${thrown as string}`);
  return { name: "Error", message, stack: "" };
}
