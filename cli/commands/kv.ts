// Keys of a node's KV namespaces, one call of the admin API each.

import { resolve } from "node:path";
import { EdgeError } from "../../sdk/errors.ts";
import type { Json, JsonObject } from "../../sdk/errors.ts";
import { NODE_OPTIONS } from "../command.ts";
import type { Command, CommandContext, CommandGroup, OptionSpec } from "../command.ts";
import { readInput, THROUGH_HANDLER, writeOutput } from "../files.ts";
import { field, isList, isObject, textOf } from "../json.ts";
import { printable, tableText } from "../output.ts";
import { parseCount } from "../parse.ts";
import { findPart, PART_OPTIONS } from "../project/part.ts";

const NAMESPACE = {
  name: "<namespace>",
  summary: "a binding of the project here, its id in bindings, or a service with --scope",
};
const KEY = { name: "<key>", summary: "the key" };
const OPTIONS: readonly OptionSpec[] = [...PART_OPTIONS, ...NODE_OPTIONS];

const get: Command = {
  name: "get",
  summary: "print a value, or write it into a file",
  args: [NAMESPACE, KEY],
  options: [{ flags: "--file <file>", summary: "where to write it" }, ...OPTIONS],
  examples: ["edge kv get PAGES index.html", "edge kv get pages logo --file logo.png"],
  run: async (context) => {
    const found = await context.client().get(path(context, ["values", keyOf(context)]));
    const { value, base64, ...rest } = isObject(found) ? found : {};
    const given = context.values.text("file");
    if (given === undefined) {
      if (typeof value === "string" || context.output.json) {
        return { data: found, text: textOf(value) };
      }
      throw new EdgeError("USAGE", "The value is no text; pass --file, or --json for base64");
    }
    const file = resolve(context.cwd, given);
    const bytes =
      typeof value === "string" ? Buffer.from(value) : Buffer.from(textOf(base64), "base64");
    writeOutput(file, bytes);
    return { data: { ...rest, file }, text: `Wrote ${bytes.byteLength} bytes into ${file}` };
  },
};

const put: Command = {
  name: "put",
  summary: "store a value under a key",
  args: [NAMESPACE, KEY, { name: "[value]", summary: "a text, where no file has it" }],
  options: [
    { flags: "--file <file>", summary: "file with the value" },
    { flags: "--ttl <seconds>", summary: "how long the key lives" },
    { flags: "--expiration <seconds>", summary: "when it ends, in seconds since 1970" },
    { flags: "--metadata <json>", summary: "kept beside the value" },
    ...OPTIONS,
  ],
  examples: [
    "edge kv put PAGES greeting hello",
    'edge kv put pages logo --file logo.png --ttl 3600 --metadata \'{"type":"image/png"}\'',
  ],
  run: async (context) => {
    const { values, client } = context;
    const key = keyOf(context);
    const ttl = secondsOf(values.text("ttl"), "--ttl");
    const expiration = secondsOf(values.text("expiration"), "--expiration");
    const metadata = values.text("metadata");
    const body = {
      ...contentOf(context),
      ...(ttl === null ? {} : { expiration_ttl: ttl }),
      ...(expiration === null ? {} : { expiration }),
      ...(metadata === undefined ? {} : { metadata: readMetadata(metadata) }),
    };
    const data = await client().send("PUT", path(context, ["values", key]), body);
    return { data, text: `Stored ${textOf(field(data, "bytes"))} bytes under ${key}` };
  },
};

const list: Command = {
  name: "list",
  aliases: ["ls"],
  summary: "list keys, up to 1000",
  args: [NAMESPACE, { name: "[prefix]", summary: "only keys that begin so" }],
  options: [
    { flags: "--cursor <text>", summary: "where the listing before ended" },
    { flags: "--limit <number>", summary: "how many at most" },
    ...OPTIONS,
  ],
  examples: ["edge kv list PAGES", "edge kv list embedded user: --scope pages --json"],
  run: async (context) => {
    const { args, values, client } = context;
    const more = { prefix: args[1], cursor: values.text("cursor"), limit: values.text("limit") };
    const data = await client().get(path(context, ["keys"], more));
    const keys = field(data, "keys");
    const rows = (isList(keys) ? keys : []).map((key: Json) => {
      const ends = field(key, "expiration");
      const at = typeof ends === "number" ? new Date(1_000 * ends).toISOString() : "-";
      return [textOf(field(key, "name")), at, textOf(field(key, "metadata"))].map(printable);
    });
    const cursor = field(data, "cursor");
    const rest = typeof cursor === "string" ? `\nMore with --cursor ${cursor}` : "";
    return { data, text: tableText(["KEY", "EXPIRES", "METADATA"], rows) + rest };
  },
};

const remove: Command = {
  name: "delete",
  aliases: ["rm"],
  summary: "delete a key",
  args: [NAMESPACE, KEY],
  options: OPTIONS,
  examples: ["edge kv delete PAGES greeting"],
  run: async (context) => {
    const key = keyOf(context);
    const data = await context.client().send("DELETE", path(context, ["values", key]));
    return { data, text: `There is no ${key} (any more)` };
  },
};

export const kv: CommandGroup = {
  name: "kv",
  summary: "keys of a node's KV namespaces",
  commands: [get, put, list, remove],
};

/** These are no keys anywhere, and in an address they would mean another one. */
function keyOf({ args }: CommandContext): string {
  const key = args[1] ?? "";
  if (key !== "" && key !== "." && key !== "..") return key;
  throw new EdgeError("USAGE", `A key is a text that is not "", "." or ".."`);
}

function path(
  context: CommandContext,
  rest: readonly string[],
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const { name, scope } = findPart(context, "kv", context.args[0] ?? "");
  const search = new URLSearchParams();
  for (const [field, value] of Object.entries({ scope, ...query })) {
    if (value !== undefined) search.set(field, value);
  }
  const address = `/api/kv/${[name, ...rest].map(encodeURIComponent).join("/")}`;
  return search.size === 0 ? address : `${address}?${search.toString()}`;
}

function contentOf({ args, values, cwd }: CommandContext): JsonObject {
  const [, , value] = args;
  const file = values.text("file");
  if ((value === undefined) === (file === undefined)) {
    throw new EdgeError("USAGE", "Give either a value or --file");
  }
  if (file === undefined) return { value: value ?? "" };
  return { base64: readInput(resolve(cwd, file), file, THROUGH_HANDLER).toString("base64") };
}

function secondsOf(text: string | undefined, flag: string): number | null {
  if (text === undefined) return null;
  const seconds = parseCount(text);
  if (seconds !== null) return seconds;
  throw new EdgeError("USAGE", `${flag} takes a number of seconds, not "${text}"`);
}

function readMetadata(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw new EdgeError("USAGE", `--metadata takes JSON, not "${text}"`, { cause });
  }
}
