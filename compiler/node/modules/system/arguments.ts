// node:util's parseArgs. It gives no tokens.

import { coded } from "../errors.ts";

interface Option {
  readonly type: "boolean" | "string";
  readonly multiple?: boolean;
  readonly short?: string;
  readonly default?: unknown;
}

interface Config {
  readonly args?: readonly string[];
  readonly options?: Readonly<Record<string, Option>>;
  readonly strict?: boolean;
  readonly allowPositionals?: boolean;
  readonly allowNegative?: boolean;
}

interface Parsed {
  readonly values: Record<string, unknown>;
  readonly positionals: string[];
}

export function parseArgs(config: Config = {}): Parsed {
  const { args = [], options = {}, strict = true, allowPositionals = !strict } = config;
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  const positionals: string[] = [];
  const waiting = [...args];
  for (let arg = waiting.shift(); arg !== undefined; arg = waiting.shift()) {
    if (arg === "--") {
      positionals.push(...waiting.splice(0));
    } else if (/^-[^-]/.test(arg)) {
      waiting.unshift(...spelledOut(arg, options));
      const [name, value] = split(waiting.shift() ?? "");
      take({ name, value, values, waiting }, config);
    } else if (arg.startsWith("--")) {
      const [name, value] = split(arg);
      take({ name, value, values, waiting }, config);
    } else {
      positionals.push(arg);
    }
  }
  if (positionals.length > 0 && !allowPositionals) {
    throw coded(
      "TypeError",
      "ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL",
      `Unexpected argument '${positionals[0]}'. This command does not take positional arguments`,
    );
  }
  for (const [name, option] of Object.entries(options)) {
    if (option.default !== undefined && !(name in values)) values[name] = option.default;
  }
  return { values, positionals };
}

function split(arg: string): [name: string, value: string | undefined] {
  const at = arg.indexOf("=");
  return at < 0 ? [arg.slice(2), undefined] : [arg.slice(2, at), arg.slice(at + 1)];
}

/** `-abc` and `-avalue` as what they are short for. */
function spelledOut(arg: string, options: Readonly<Record<string, Option>>): string[] {
  const long: string[] = [];
  for (let at = 1; at < arg.length; at += 1) {
    const letter = arg.charAt(at);
    const found = Object.entries(options).find(([, { short }]) => short === letter);
    const rest = arg.slice(at + 1);
    const name = found?.[0] ?? letter;
    if (found?.[1].type === "string" && rest !== "") return [...long, `--${name}=${rest}`];
    long.push(`--${name}`);
  }
  return long;
}

interface Taken {
  readonly name: string;
  readonly value: string | undefined;
  readonly values: Record<string, unknown>;
  readonly waiting: string[];
}

function take({ name, value, values, waiting }: Taken, config: Config): void {
  const { options = {}, strict = true, allowNegative = false } = config;
  const isNegative = allowNegative && name.startsWith("no-") && !Object.hasOwn(options, name);
  const own = isNegative ? name.slice(3) : name;
  const option = Object.hasOwn(options, own) ? options[own] : undefined;
  if (strict && option === undefined) {
    throw coded("TypeError", "ERR_PARSE_ARGS_UNKNOWN_OPTION", `Unknown option '--${name}'`);
  }
  let found: unknown = isNegative ? false : (value ?? true);
  if (option?.type === "string" && value === undefined) {
    found = waiting[0]?.startsWith("-") === true && strict ? undefined : waiting.shift();
    if (found === undefined && strict) {
      const text = `Option '--${own} <value>' argument missing`;
      throw coded("TypeError", "ERR_PARSE_ARGS_INVALID_OPTION_VALUE", text);
    }
  }
  if (strict && option?.type === "boolean" && value !== undefined) {
    const text = `Option '--${own}' does not take an argument`;
    throw coded("TypeError", "ERR_PARSE_ARGS_INVALID_OPTION_VALUE", text);
  }
  if (option?.multiple !== true) values[own] = found ?? true;
  else values[own] = [...((values[own] as unknown[] | undefined) ?? []), found];
}
