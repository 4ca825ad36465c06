// Values as text for the log, in the manner of Node's util.inspect. It cannot throw, runs no getters, and stops
// at fixed amounts of depth, entries and text. A Proxy's traps do run (nothing in JavaScript can tell a Proxy
// from its target); what they throw is caught, and how often they run is bounded by the entries.

const DEPTH_MAX = 4;
const ENTRIES_MAX = 100;
const STRING_CHARS_MAX = 10_000;
/** Of one call; a log line is cut at 8 KiB in any case. */
const TEXT_CHARS_MAX = 16_384;
/** Longer than this, an object's entries get lines of their own. */
const LINE_CHARS_MAX = 72;

const apply = Reflect.apply;
const ownKeys = Reflect.ownKeys;
const descriptorOf = Reflect.getOwnPropertyDescriptor;
const prototypeOf = Reflect.getPrototypeOf;
const isArray = Array.isArray;
const stringify = JSON.stringify;
const dateText = Date.prototype.toISOString;
const regexpSource = RegExp.prototype.toString;
const eachOfMap = Map.prototype.forEach;
const eachOfSet = Set.prototype.forEach;
const functionText = Function.prototype.toString;
const symbolText = Symbol.prototype.toString;
const unbox = {
  Number: Number.prototype.valueOf,
  String: String.prototype.valueOf,
  Boolean: Boolean.prototype.valueOf,
  BigInt: BigInt.prototype.valueOf,
  Symbol: Symbol.prototype.valueOf,
} as const;
const tagText = Object.prototype.toString;

type Callable = (this: unknown, ...args: never[]) => unknown;

interface Walk {
  /** Objects being printed, outermost first. */
  readonly path: object[];
  /** Characters that may still be written. */
  room: number;
  readonly depth: number;
}

export interface InspectOptions {
  /** Levels of nested objects; 4 unless told. */
  readonly depth?: number;
}

export function inspect(value: unknown, options?: InspectOptions): string {
  const depth = options?.depth ?? DEPTH_MAX;
  try {
    return format(value, { path: [], room: TEXT_CHARS_MAX, depth });
  } catch {
    // Out of stack, or a built-in that an author has replaced by one that throws.
    return "[unprintable]";
  }
}

/** An error's stack, or anything thrown as text. */
export function inspectError(thrown: unknown): string {
  return typeof thrown === "string" ? cut(thrown, STRING_CHARS_MAX) : inspect(thrown);
}

function cut(text: string, chars: number): string {
  return text.length > chars
    ? `${text.slice(0, chars)}… ${text.length - chars} more characters`
    : text;
}

function format(value: unknown, walk: Walk): string {
  const text = formatUnbounded(value, walk);
  walk.room -= text.length;
  return text;
}

function formatUnbounded(value: unknown, walk: Walk): string {
  switch (typeof value) {
    case "string":
      return quote(cut(value, STRING_CHARS_MAX));
    case "number":
      return Object.is(value, -0) ? "-0" : `${value}`;
    case "bigint":
      // Decimal text of a huge integer takes quadratic time that no timeout stops.
      return value >= 2n ** 4096n || value <= -(2n ** 4096n) ? "[huge BigInt]" : `${value}n`;
    case "symbol":
      return apply(symbolText, value, []);
    case "function":
      return formatObject(value, walk);
    case "object":
      return value === null ? "null" : formatObject(value, walk);
    default:
      return `${value as boolean | undefined}`;
  }
}

function quote(text: string): string {
  if (!text.includes("'") && !/[\\\n\r\t\b\f\v\0-\x1f]/.test(text)) return `'${text}'`;
  return stringify(text);
}

function formatObject(value: object, walk: Walk): string {
  for (const outer of walk.path) if (outer === value) return "[Circular]";
  if (walk.room <= 0) return "[…]";
  try {
    walk.path[walk.path.length] = value;
    return describe(value, walk);
  } catch {
    // A Proxy's trap threw, or the stack is used up.
    return "[unprintable]";
  } finally {
    walk.path.length--;
  }
}

function describe(value: object, walk: Walk): string {
  if (typeof value === "function") return withEntries(functionHead(value), value, walk);
  if (isArray(value)) return formatArray(value, walk);
  const tag = brandOf(value);
  if (tag === "Error") return formatError(value, walk);
  const name = nameOf(value);
  if (tag === "Date") {
    const time = attempt(dateText, value);
    return withEntries(typeof time === "string" ? time : "Invalid Date", value, walk);
  }
  if (tag === "RegExp") {
    return withEntries(`${String(attempt(regexpSource, value))}`, value, walk);
  }
  if (tag === "Number" || tag === "String" || tag === "Boolean") {
    const inner = formatUnbounded(attempt(unbox[tag], value), walk);
    return `[${tag}: ${inner}]`;
  }
  if (tag === "Map" || tag === "Set") return formatCollection(value, tag, walk);
  if (ArrayBuffer.isView(value)) return formatView(value, name, walk);
  if (tag === "ArrayBuffer")
    return `ArrayBuffer { byteLength: ${(value as ArrayBuffer).byteLength} }`;
  if (tag === "Promise" || tag === "WeakMap" || tag === "WeakSet" || tag === "WeakRef") {
    return `${tag} {}`;
  }
  return withEntries(name === "Object" ? "" : name, value, walk);
}

/** The built-in kind of an object; a tag that an author has set can only make its print look different. */
function brandOf(value: object): string {
  const tag = apply(tagText, value, []).slice(8, -1);
  if (tag === "Map") return succeeds(eachOfMap, value) ? tag : "";
  if (tag === "Set") return succeeds(eachOfSet, value) ? tag : "";
  // Missing while a snapshot is made.
  const isError = (Error as unknown as { isError?: (value: unknown) => boolean }).isError;
  return tag !== "Error" && (isError?.(value) ?? value instanceof Error) ? "Error" : tag;
}

function succeeds(each: Callable, value: object): boolean {
  let entries = 0;
  try {
    apply(each, value, [
      () => {
        // Enough to know; a huge map is not walked for it.
        if (++entries > 0) throw found;
      },
    ] as never[]);
    return true;
  } catch (error) {
    return error === found;
  }
}
/** Ends a walk early. */
const found: Error = new Error("found");

function attempt(method: Callable, value: unknown): unknown {
  try {
    return apply(method, value, []);
  } catch {
    return null;
  }
}

function nameOf(value: object): string {
  let prototype: object | null = value;
  for (let level = 0; level < 10; level++) {
    prototype = prototypeOf(prototype);
    if (prototype === null) return level === 0 ? "[Object: null prototype]" : "Object";
    const constructor: unknown = descriptorOf(prototype, "constructor")?.value;
    if (typeof constructor !== "function") continue;
    const name: unknown = descriptorOf(constructor, "name")?.value;
    if (typeof name === "string" && name !== "") return cut(name, 100);
  }
  return "Object";
}

function functionHead(value: object): string {
  const name: unknown = descriptorOf(value, "name")?.value;
  const source = attempt(functionText, value);
  const kind = typeof source === "string" && source.startsWith("class") ? "class" : "Function";
  if (typeof name !== "string" || name === "") return `[${kind} (anonymous)]`;
  return kind === "class" ? `[class ${cut(name, 100)}]` : `[Function: ${cut(name, 100)}]`;
}

function formatError(value: object, walk: Walk): string {
  const error = value as { stack?: unknown; name?: unknown; message?: unknown; cause?: unknown };
  const stack = read(error, "stack");
  let text: string;
  if (typeof stack === "string" && stack !== "") text = stack;
  else {
    const message = read(error, "message");
    const name = read(error, "name");
    text = typeof name === "string" ? name : "Error";
    if (typeof message === "string" && message !== "") text += `: ${message}`;
  }
  text = cut(text, STRING_CHARS_MAX);
  walk.room -= text.length;
  const cause = descriptorOf(value, "cause");
  const entries = entriesOf(value, walk, ["stack", "message", "cause", "name"]);
  if (cause !== undefined && "value" in cause && walk.path.length <= walk.depth) {
    entries[entries.length] = `[cause]: ${format(cause.value, walk)}`;
  }
  return entries.length === 0 ? text : `${text} ${wrap("{", entries, "}")}`;
}

function read(object: object, key: string): unknown {
  try {
    return (object as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function formatArray(value: readonly unknown[], walk: Walk): string {
  if (walk.path.length > walk.depth) return "[Array]";
  const length = value.length;
  const entries: string[] = [];
  let holes = 0;
  const flushHoles = (): void => {
    if (holes > 0) entries[entries.length] = `<${holes} empty item${holes > 1 ? "s" : ""}>`;
    holes = 0;
  };
  let i = 0;
  for (; i < length && i < ENTRIES_MAX && walk.room > 0; i++) {
    const descriptor = descriptorOf(value, `${i}`);
    if (descriptor === undefined) holes++;
    else {
      flushHoles();
      entries[entries.length] = formatProperty(descriptor, walk);
    }
  }
  flushHoles();
  if (length > i) entries[entries.length] = `… ${length - i} more items`;
  // Listing the keys of a long array would make a string for each of its indices.
  else appendAll(entries, entriesOf(value, walk, ["length"], length));
  const name = nameOf(value);
  return wrap(name === "Array" ? "[" : `${name}(${length}) [`, entries, "]");
}

function appendAll(to: string[], from: readonly string[]): void {
  for (const entry of from) to[to.length] = entry;
}

function formatCollection(value: object, kind: "Map" | "Set", walk: Walk): string {
  const entries: string[] = [];
  let size = 0;
  if (walk.path.length > walk.depth) return `[${kind}]`;
  const add = (item: unknown, key: unknown): void => {
    size++;
    if (size > ENTRIES_MAX || walk.room <= 0) throw found;
    entries[size - 1] =
      kind === "Map" ? `${format(key, walk)} => ${format(item, walk)}` : format(item, walk);
  };
  try {
    apply((kind === "Map" ? eachOfMap : eachOfSet) as Callable, value, [add] as never[]);
  } catch (error) {
    if (error !== found) throw error;
    entries[entries.length] = "… more items";
  }
  const total: unknown = read(value, "size");
  const head = `${kind}(${typeof total === "number" ? total : size}) {`;
  return wrap(head, entries, "}");
}

function formatView(value: ArrayBufferView, name: string, walk: Walk): string {
  const items = value as unknown as { readonly length?: number; readonly [index: number]: unknown };
  const length = items.length;
  if (length === undefined) return `${name} { byteLength: ${value.byteLength} }`;
  const entries: string[] = [];
  for (let i = 0; i < length && i < ENTRIES_MAX && walk.room > 0; i++) {
    entries[i] = format(items[i], walk);
  }
  if (length > entries.length) entries[entries.length] = `… ${length - entries.length} more items`;
  return wrap(`${name}(${length}) [`, entries, "]");
}

function withEntries(head: string, value: object, walk: Walk): string {
  const bare =
    head !== "" && (head.startsWith("[F") || head.startsWith("[c") || /^[/0-9I]/.test(head));
  if (walk.path.length > walk.depth) return head === "" ? "[Object]" : bare ? head : `[${head}]`;
  const entries = entriesOf(value, walk, []);
  if (bare && entries.length === 0) return head;
  return wrap(head === "" ? "{" : `${head} {`, entries, "}");
}

/** Own enumerable properties; with `skipIndices`, those of an array that are no index below it. */
function entriesOf(
  value: object,
  walk: Walk,
  hidden: readonly string[],
  skipIndices = 0,
): string[] {
  const entries: string[] = [];
  const keys = ownKeys(value);
  for (let i = skipIndices === 0 ? 0 : skippable(keys, skipIndices); i < keys.length; i++) {
    const key = keys[i] as string | symbol;
    if (typeof key === "string" && hidden.includes(key)) continue;
    if (entries.length >= ENTRIES_MAX || walk.room <= 0) {
      entries[entries.length] = `… ${keys.length - i} more properties`;
      break;
    }
    const descriptor = descriptorOf(value, key);
    if (descriptor?.enumerable !== true) continue;
    const label =
      typeof key === "symbol"
        ? `[${apply(symbolText, key, [])}]`
        : /^[A-Za-z_$][\w$]*$/.test(key)
          ? key
          : quote(cut(key, 200));
    walk.room -= label.length;
    entries[entries.length] = `${label}: ${formatProperty(descriptor, walk)}`;
  }
  return entries;
}

/** An array's keys begin with its indices. */
function skippable(keys: readonly (string | symbol)[], length: number): number {
  let at = 0;
  while (at < keys.length && at < length && /^\d+$/.test(String(keys[at]))) at++;
  return at;
}

function formatProperty(descriptor: PropertyDescriptor, walk: Walk): string {
  if ("value" in descriptor) return format(descriptor.value, walk);
  if (descriptor.get === undefined) return "[Setter]";
  return descriptor.set === undefined ? "[Getter]" : "[Getter/Setter]";
}

function wrap(open: string, entries: readonly string[], close: string): string {
  if (entries.length === 0) return `${open}${close}`;
  let chars = open.length;
  let lines = false;
  for (const entry of entries) {
    chars += entry.length + 2;
    lines ||= entry.includes("\n");
  }
  if (!lines && chars <= LINE_CHARS_MAX) {
    return `${open} ${join(entries, ", ")} ${close}`;
  }
  let text = open;
  for (let i = 0; i < entries.length; i++) {
    const entry = (entries[i] as string).replaceAll("\n", "\n  ");
    text += `\n  ${entry}${i === entries.length - 1 ? "" : ","}`;
  }
  return `${text}\n${close}`;
}

function join(parts: readonly string[], separator: string): string {
  let text = "";
  for (let i = 0; i < parts.length; i++) text += (i === 0 ? "" : separator) + (parts[i] as string);
  return text;
}
