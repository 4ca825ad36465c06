// Secrets: set, listed by name, deleted. Their values come from standard input or are typed unseen, never as arguments.

import { basename, dirname, resolve } from "node:path";
import { EdgeError } from "../../sdk/errors.ts";
import type { Json } from "../../sdk/errors.ts";
import type { Command, CommandContext, CommandGroup, OptionSpec } from "../command.ts";
import { NODE_OPTIONS } from "../command.ts";
import { field, isList, textOf } from "../json.ts";
import { tableText } from "../output.ts";
import { readDocument } from "../project/document.ts";
import { readProjectHere } from "../project/project.ts";

const OPTIONS: readonly OptionSpec[] = [
  {
    flags: "--endpoint <name>",
    summary: "whose env it is in",
    fallback: "that of the project in this folder",
  },
  { flags: "--node", summary: "the node's own, for ${secret:NAME} in services' configurations" },
  ...NODE_OPTIONS,
];
const NAME = { name: "<name>", summary: "name of the secret" };

const put: Command = {
  name: "put",
  summary: "set a secret; its value is asked for, or read from standard input",
  args: [NAME],
  options: OPTIONS,
  examples: [
    "edge secret put API_KEY --endpoint hello",
    "edge secret put PG_PASSWORD --node < password.txt",
  ],
  run: async (context) => {
    const { args, asking, client } = context;
    const name = args[0] ?? "";
    const endpoint = ownerOf(context);
    const value = await asking.secret(`Value of ${name}: `);
    const owner = endpoint === null ? {} : { endpoint };
    const data = await client().send("PUT", "/api/secrets", { ...owner, name, value });
    return { data, text: `Set ${name} ${ofOwner(endpoint)}` };
  },
};

const bulk: Command = {
  name: "bulk",
  summary: "set all secrets of a JSON file, or none; null deletes one",
  args: [{ name: "<file>", summary: "JSON with a text per name" }],
  options: OPTIONS,
  examples: ["edge secret bulk secrets.json --endpoint hello"],
  run: async (context) => {
    const { args, cwd, client } = context;
    const endpoint = ownerOf(context);
    const secrets = readDocument(resolve(cwd, args[0] ?? ""), cwd).value;
    const owner = endpoint === null ? {} : { endpoint };
    const data = await client().send("POST", "/api/secrets", { ...owner, secrets });
    const count = Object.keys(secrets).length;
    return { data, text: `Set ${count} secrets ${ofOwner(endpoint)}` };
  },
};

const list: Command = {
  name: "list",
  aliases: ["ls"],
  summary: "list the names of secrets; no command shows a value",
  options: OPTIONS,
  examples: ["edge secret list --endpoint hello", "edge secret list --node"],
  run: async (context) => {
    const endpoint = ownerOf(context);
    const data = await context.client().get(`/api/secrets${query(endpoint)}`);
    const rows = (isList(data) ? data : []).map((secret: Json) => [
      textOf(field(secret, "name")),
      textOf(field(secret, "updated_at")),
    ]);
    const none = `There are no secrets ${ofOwner(endpoint)}`;
    return { data, text: rows.length === 0 ? none : tableText(["NAME", "SET"], rows) };
  },
};

const remove: Command = {
  name: "delete",
  summary: "delete a secret",
  args: [NAME],
  options: OPTIONS,
  examples: ["edge secret delete API_KEY --endpoint hello"],
  run: async (context) => {
    const name = context.args[0] ?? "";
    const endpoint = ownerOf(context);
    const path = `/api/secrets/${encodeURIComponent(name)}${query(endpoint)}`;
    await context.client().send("DELETE", path);
    return {
      data: { name, endpoint, deleted: true },
      text: `Deleted ${name} ${ofOwner(endpoint)}`,
    };
  },
};

export const secret: CommandGroup = {
  name: "secret",
  summary: "set, list and delete secrets of an endpoint or of the node",
  commands: [put, bulk, list, remove],
};

/** null: the node. */
function ownerOf({ values, cwd }: CommandContext): string | null {
  const given = values.text("endpoint");
  if (values.flag("node")) {
    if (given === undefined) return null;
    throw new EdgeError("USAGE", "A secret is an endpoint's or the node's: --endpoint or --node");
  }
  if (given !== undefined) return given;
  const project = readProjectHere(values, cwd);
  if (project !== null) return project.name;
  const here = `${basename(dirname(`${cwd}/x`))} has no configuration file`;
  throw new EdgeError("USAGE", `Whose secret is it? Pass --endpoint NAME or --node; ${here}`);
}

function ofOwner(endpoint: string | null): string {
  return endpoint === null ? "of the node" : `of ${endpoint}`;
}

function query(endpoint: string | null): string {
  return endpoint === null ? "" : `?endpoint=${encodeURIComponent(endpoint)}`;
}
