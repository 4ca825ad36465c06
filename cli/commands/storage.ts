// Objects of a node's storage services, one call of the admin API each.

import { basename, resolve } from "node:path";
import type { Json } from "../../sdk/errors.ts";
import { NODE_OPTIONS } from "../command.ts";
import type { Command, CommandContext, CommandGroup, OptionSpec } from "../command.ts";
import { readInput, THROUGH_HANDLER, writeOutput } from "../files.ts";
import { field, isList, isObject, textOf } from "../json.ts";
import { tableText } from "../output.ts";

const SERVICE = { name: "<service>", summary: "name of the service, or embedded" };
const KEY = { name: "<key>", summary: "key of the object" };
const SCOPE: OptionSpec = {
  flags: "--scope <name>",
  summary: "what bindings call bucket_name or scope; ENDPOINT/BINDING where they name none",
};
const OPTIONS: readonly OptionSpec[] = [SCOPE, ...NODE_OPTIONS];

const list: Command = {
  name: "list",
  aliases: ["ls"],
  summary: "list objects, up to 1000",
  args: [SERVICE, { name: "[prefix]", summary: "only keys that begin so" }],
  options: [
    { flags: "--cursor <text>", summary: "where the listing before ended" },
    { flags: "--limit <number>", summary: "how many at most" },
    ...OPTIONS,
  ],
  examples: ["edge storage list embedded --scope files", "edge storage list s3 images/ --json"],
  run: async (context) => {
    const { args, values, client } = context;
    const more = { prefix: args[1], cursor: values.text("cursor"), limit: values.text("limit") };
    const data = await client().get(path(context, null, more));
    const objects = field(data, "objects");
    const rows = (isList(objects) ? objects : []).map((object: Json) =>
      ["key", "size", "last_modified"].map((name) => textOf(field(object, name))),
    );
    const cursor = field(data, "cursor");
    const rest = typeof cursor === "string" ? `\nMore with --cursor ${cursor}` : "";
    return { data, text: tableText(["KEY", "BYTES", "MODIFIED"], rows) + rest };
  },
};

const get: Command = {
  name: "get",
  summary: "write an object into a file",
  args: [SERVICE, KEY, { name: "[file]", summary: "otherwise the last part of the key, here" }],
  options: OPTIONS,
  examples: [
    "edge storage get embedded logo.svg --scope files",
    "edge storage get s3 a/b.txt /tmp/b.txt",
  ],
  run: async (context) => {
    const { args, client, cwd } = context;
    const key = args[1] ?? "";
    const found = await client().get(path(context, key, { encoding: "base64" }));
    const { content, ...data } = isObject(found) ? found : {};
    const file = resolve(cwd, args[2] ?? basename(key));
    const bytes = Buffer.from(textOf(content), "base64");
    writeOutput(file, bytes);
    return { data: { ...data, file }, text: `Wrote ${bytes.byteLength} bytes into ${file}` };
  },
};

const put: Command = {
  name: "put",
  summary: "store a file as an object",
  args: [SERVICE, KEY, { name: "<file>", summary: "what to store" }],
  options: [{ flags: "--type <type>", summary: "its content type" }, ...OPTIONS],
  examples: ["edge storage put embedded logo.svg logo.svg --type image/svg+xml --scope files"],
  run: async (context) => {
    const { args, values, client, cwd } = context;
    const key = args[1] ?? "";
    const content = readInput(resolve(cwd, args[2] ?? ""), args[2] ?? "", THROUGH_HANDLER).toString(
      "base64",
    );
    const type = values.text("type");
    const body = type === undefined ? { content } : { content, type };
    const data = await client().send("PUT", path(context, key, { encoding: "base64" }), body);
    return { data, text: `Stored ${textOf(field(data, "size"))} bytes under ${key}` };
  },
};

const remove: Command = {
  name: "delete",
  aliases: ["rm"],
  summary: "delete an object",
  args: [SERVICE, KEY],
  options: OPTIONS,
  examples: ["edge storage delete embedded logo.svg --scope files"],
  run: async (context) => {
    const key = context.args[1] ?? "";
    const data = await context.client().send("DELETE", path(context, key));
    return { data, text: `There is no ${key} (any more)` };
  },
};

export const storage: CommandGroup = {
  name: "storage",
  summary: "objects of a node's storage services",
  commands: [list, get, put, remove],
};

function path(
  { args, values }: CommandContext,
  key: string | null,
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const parts = [args[0] ?? "", "objects", ...(key === null ? [] : [key])];
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries({ scope: values.text("scope"), ...query })) {
    if (value !== undefined) search.set(name, value);
  }
  const address = `/api/storage/${parts.map(encodeURIComponent).join("/")}`;
  return search.size === 0 ? address : `${address}?${search.toString()}`;
}
