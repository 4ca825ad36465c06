// console: formats here, writes lines to the host's log. What is written at top level, before there is a
// host, waits until thaw.

import { LOG_LINE_BYTES_MAX } from "../../sdk/limits.ts";
import { monotonicMs } from "./time.ts";
import { inspect } from "./inspect.ts";
import type { Port } from "./port.ts";

type Level = Parameters<Port["log"]>[0];

/** Lines kept until thaw; more at top level is a mistake that the first lines show. */
const EARLY_LINES_MAX = 100;
/** Labels of count() and time() at once. */
const LABELS_MAX = 1_000;
const GROUPS_MAX = 32;
/** A cell of table(); a row has to fit a log line. */
const CELL_CHARS_MAX = 64;
const TABLE_ROWS_MAX = 100;
const TABLE_COLUMNS_MAX = 20;

const early: { level: Level; text: string }[] = [];
const counts = new Map<string, number>();
const findCount = counts.get.bind(counts);
const keepCount = counts.set.bind(counts);
const dropCount = counts.delete.bind(counts);
const starts = new Map<string, number>();
const findStart = starts.get.bind(starts);
const keepStart = starts.set.bind(starts);
const dropStart = starts.delete.bind(starts);
let labels = 0;
let groups = 0;
let port: Port | null = null;

export function thawConsole(thawed: Port): void {
  port = thawed;
  for (let i = 0; i < early.length; i++) {
    const line = early[i];
    if (line !== undefined) thawed.log(line.level, line.text);
  }
  early.length = 0;
}

function write(level: Level, text: string): void {
  const indent = "  ".repeat(groups);
  let line = groups === 0 ? text : indent + text.replaceAll("\n", `\n${indent}`);
  if (line.length > LOG_LINE_BYTES_MAX) line = `${line.slice(0, LOG_LINE_BYTES_MAX)}… [cut]`;
  if (port !== null) port.log(level, line);
  else if (early.length < EARLY_LINES_MAX) early[early.length] = { level, text: line };
}

/** Never throws, whatever the arguments do. */
function print(level: Level, args: readonly unknown[]): void {
  let text: string;
  try {
    text = formatAll(args);
  } catch {
    // Out of stack, or a patched built-in.
    text = "[unprintable]";
  }
  write(level, text);
}

function formatAll(args: readonly unknown[]): string {
  const first = args[0];
  let text = "";
  let used = 0;
  if (typeof first === "string") {
    used = 1;
    text = first;
    if (args.length > 1 && first.includes("%")) [text, used] = substitute(first, args);
  }
  for (let i = used; i < args.length && text.length <= LOG_LINE_BYTES_MAX; i++) {
    const arg = args[i];
    text += (i === 0 ? "" : " ") + (typeof arg === "string" ? arg : inspect(arg));
  }
  return text;
}

/** The Console standard's format specifiers; returns how many arguments it has used. */
function substitute(template: string, args: readonly unknown[]): [string, number] {
  let text = "";
  let used = 1;
  let from = 0;
  for (let at = template.indexOf("%"); at >= 0; at = template.indexOf("%", at)) {
    const kind = template.charAt(at + 1);
    const replaced =
      kind === "%" ? "%" : used < args.length ? formatSpecified(kind, args[used]) : null;
    if (replaced === null) {
      at++;
      continue;
    }
    if (kind !== "%") used++;
    text += template.slice(from, at) + replaced;
    at += 2;
    from = at;
    if (text.length > LOG_LINE_BYTES_MAX) break;
  }
  return [text + template.slice(from), used];
}

function formatSpecified(kind: string, value: unknown): string | null {
  switch (kind) {
    case "s":
      return typeof value === "object" || typeof value === "function"
        ? inspect(value, { depth: 0 })
        : typeof value === "symbol" || typeof value === "bigint"
          ? inspect(value)
          : `${value as string}`;
    case "d":
    case "i":
    case "f": {
      if (typeof value === "object" || typeof value === "symbol") return "NaN";
      if (typeof value === "bigint") return inspect(value);
      const number = kind === "f" ? Number.parseFloat(`${value as string}`) : Number(value);
      return `${kind === "i" ? Math.trunc(number) : number}`;
    }
    case "j":
    case "o":
    case "O":
      return inspect(value);
    case "c":
      return "";
    default:
      return null;
  }
}

function labelOf(given: unknown): string {
  return given === undefined ? "default" : `${given as string}`.slice(0, CELL_CHARS_MAX);
}

function elapsed(label: string): string | null {
  const start = findStart(label);
  return start === undefined
    ? null
    : `${label}: ${Math.round((monotonicMs() - start) * 1000) / 1000}ms`;
}

function column(value: unknown): string {
  return inspect(value, { depth: 0 }).replaceAll("\n", " ").slice(0, CELL_CHARS_MAX);
}

function isRow(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function plainKeys(value: object, max: number): string[] {
  const keys: string[] = [];
  for (const key of Object.keys(value)) {
    if (keys.length === max) break;
    keys[keys.length] = key;
  }
  return keys;
}

function formatTable(data: object, only: unknown): string {
  const rows = plainKeys(data, TABLE_ROWS_MAX);
  const columns: string[] = [];
  let values = false;
  const source = data as Record<string, unknown>;
  for (const row of rows) {
    const item = source[row];
    values ||= !isRow(item);
    const keys = Array.isArray(only)
      ? only.map((key) => `${key as string}`)
      : isRow(item)
        ? plainKeys(item, TABLE_COLUMNS_MAX)
        : [];
    for (const key of keys) {
      if (columns.length < TABLE_COLUMNS_MAX && !columns.includes(key))
        columns[columns.length] = key;
    }
  }
  const head = ["(index)", ...columns, ...(values ? ["Values"] : [])];
  const cells = rows.map((row) => {
    const item = source[row];
    const line = [row.slice(0, CELL_CHARS_MAX)];
    for (const key of columns) {
      line[line.length] = isRow(item) && Object.hasOwn(item, key) ? column(item[key]) : "";
    }
    if (values) line[line.length] = isRow(item) ? "" : column(item);
    return line;
  });
  const widths = head.map((title, index) =>
    Math.max(title.length, ...cells.map((line) => line[index]?.length ?? 0)),
  );
  const draw = (line: readonly string[]): string =>
    `│ ${widths.map((width, index) => (line[index] ?? "").padEnd(width)).join(" │ ")} │`;
  const rule = (left: string, middle: string, right: string): string =>
    `${left}─${widths.map((width) => "─".repeat(width)).join(`─${middle}─`)}─${right}`;
  const body = cells.map(draw);
  return [rule("┌", "┬", "┐"), draw(head), rule("├", "┼", "┤"), ...body, rule("└", "┴", "┘")].join(
    "\n",
  );
}

const members = {
  debug: (...args: unknown[]): void => print("debug", args),
  error: (...args: unknown[]): void => print("error", args),
  info: (...args: unknown[]): void => print("info", args),
  log: (...args: unknown[]): void => print("info", args),
  warn: (...args: unknown[]): void => print("warn", args),
  trace(...args: unknown[]): void {
    const stack: unknown = new Error("").stack;
    // The first two lines are the header and this function.
    const frames = typeof stack === "string" ? stack.split("\n").slice(2).join("\n") : "";
    print("debug", [`Trace: ${formatSafely(args)}\n${frames}`]);
  },
  dir: (item?: unknown): void => print("info", [typeof item === "string" ? inspect(item) : item]),
  dirxml: (...args: unknown[]): void => print("info", args),
  table(data?: unknown, columns?: unknown): void {
    if (!isRow(data)) return print("info", [data]);
    try {
      write("info", formatTable(data, columns));
    } catch {
      // A getter or a Proxy in the data threw.
      print("info", [data]);
    }
  },
  group(...args: unknown[]): void {
    if (args.length > 0) print("info", args);
    if (groups < GROUPS_MAX) groups++;
  },
  groupCollapsed: (...args: unknown[]): void => members.group(...args),
  groupEnd(): void {
    if (groups > 0) groups--;
  },
  count(label?: unknown): void {
    const name = labelOf(label);
    const count = (findCount(name) ?? 0) + 1;
    if (count === 1) {
      if (labels >= LABELS_MAX) return;
      labels++;
    }
    keepCount(name, count);
    write("info", `${name}: ${count}`);
  },
  countReset(label?: unknown): void {
    const name = labelOf(label);
    if (dropCount(name)) labels--;
    else write("warn", `Count for '${name}' does not exist`);
  },
  time(label?: unknown): void {
    const name = labelOf(label);
    if (findStart(name) !== undefined) return write("warn", `Timer '${name}' already exists`);
    if (labels >= LABELS_MAX) return;
    labels++;
    keepStart(name, monotonicMs());
  },
  timeLog(label?: unknown, ...args: unknown[]): void {
    const name = labelOf(label);
    const text = elapsed(name);
    if (text === null) write("warn", `Timer '${name}' does not exist`);
    else print("info", ["%s", text, ...args]);
  },
  timeEnd(label?: unknown): void {
    const name = labelOf(label);
    const text = elapsed(name);
    if (text === null) return write("warn", `Timer '${name}' does not exist`);
    dropStart(name);
    labels--;
    write("info", text);
  },
  assert(condition?: unknown, ...args: unknown[]): void {
    if (condition) return;
    const [first, ...rest] = args;
    if (args.length === 0) print("error", ["Assertion failed"]);
    else if (typeof first === "string") print("error", [`Assertion failed: ${first}`, ...rest]);
    else print("error", ["Assertion failed", ...args]);
  },
  clear(): void {
    groups = 0;
  },
};

function formatSafely(args: readonly unknown[]): string {
  try {
    return formatAll(args);
  } catch {
    // As in print.
    return "[unprintable]";
  }
}

export type Console = typeof members;

/** A namespace object: its prototype is an empty object of its own. */
function createConsole(): Console {
  const namespace = Object.create({}) as Record<string, unknown>;
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(value, "name", { value: name, configurable: true });
    namespace[name] = value;
  }
  Object.defineProperty(namespace, Symbol.toStringTag, { value: "console", configurable: true });
  return namespace as Console;
}

export const console: Console = createConsole();
