// Queues of a node: how full they are, what lies in them, dead letters back to work, away with it.

import { EdgeError } from "../../../sdk/errors.ts";
import type { Json, JsonObject } from "../../../sdk/errors.ts";
import { NODE_OPTIONS } from "../../command.ts";
import type { Command, CommandContext, CommandGroup, OptionSpec } from "../../command.ts";
import { field, isList, isObject, textOf } from "../../json.ts";
import { printable, tableText } from "../../output.ts";
import { parseCount } from "../../parse.ts";
import { findPart, PART_OPTIONS } from "../../project/part.ts";

const QUEUE = {
  name: "<queue>",
  summary: "a binding of the project here, its queue in bindings, or a service with --scope",
};
const OPTIONS: readonly OptionSpec[] = [...PART_OPTIONS, ...NODE_OPTIONS];
/** Of a body, in a table; --json has all of it. */
const SHOWN_CHARS_MAX = 60;

const list: Command = {
  name: "list",
  aliases: ["ls"],
  summary: "list the queues that endpoints name, and how full they are",
  options: NODE_OPTIONS,
  examples: ["edge queue list", "edge queue list --json"],
  run: async ({ client }) => {
    const data = await client().get("/api/queues");
    const rows = listOf(data).map((queue) => {
      const error = field(queue, "error");
      const counts = ["ready", "in_flight", "delayed"].map((name) => textOf(field(queue, name)));
      return [
        textOf(field(queue, "queue")),
        textOf(field(queue, "service")),
        ...(isObject(error) ? [textOf(field(error, "code")), "-", "-"] : counts),
        ageOf(queue),
        textOf(field(queue, "consumer")),
        names(field(queue, "dead_letters_of")),
      ];
    });
    const head = ["QUEUE", "SERVICE", "READY", "IN FLIGHT", "DELAYED", "OLDEST", "CONSUMER"];
    const none = "No endpoint has a queue (queues in edge.jsonc)";
    const text = rows.length === 0 ? none : tableText([...head, "DEAD LETTERS OF"], rows);
    return { data, text };
  },
};

const show: Command = {
  name: "show",
  summary: "show who uses a queue, and how full it is",
  args: [QUEUE],
  options: OPTIONS,
  examples: ["edge queue show JOBS", "edge queue show redis-1 --scope jobs"],
  run: async (context) => {
    const data = await context.client().get(path(context));
    const rows = Object.entries(isObject(data) ? data : {}).map(([name, value]) => [
      name,
      isList(value) ? names(value) : textOf(value),
    ]);
    return { data, text: tableText(["FIELD", "VALUE"], rows) };
  },
};

const messages: Command = {
  name: "messages",
  aliases: ["peek"],
  summary: "look at the first messages of a queue, dead letters for instance; they stay",
  args: [QUEUE],
  options: [{ flags: "--limit <number>", summary: "how many at most (20; 100)" }, ...OPTIONS],
  examples: ["edge queue messages dead", "edge queue messages dead --limit 100 --json"],
  run: async (context) => {
    const limit = context.values.text("limit");
    const data = await context.client().get(path(context, "messages", { limit }));
    const rows = listOf(field(data, "messages")).map((message) => {
      const body = field(message, "body");
      const shown = typeof body === "string" ? body : `${textOf(field(message, "bytes"))} bytes`;
      return [
        ...["sent_at", "state", "attempts"].map((name) => textOf(field(message, name))),
        shown.length > SHOWN_CHARS_MAX ? `${shown.slice(0, SHOWN_CHARS_MAX)}…` : shown,
      ].map(printable);
    });
    const head = ["SENT", "STATE", "TRIES", "BODY"];
    return { data, text: rows.length === 0 ? "No messages" : tableText(head, rows) };
  },
};

const redrive: Command = {
  name: "redrive",
  summary: "move messages that are ready to another queue: dead letters back to where they were",
  args: [QUEUE],
  options: [
    { flags: "--to <queue>", summary: "where; without it, whose dead letters they are" },
    { flags: "--max <number>", summary: "how many at most (10000)" },
    ...OPTIONS,
  ],
  examples: ["edge queue redrive dead", "edge queue redrive dead --to jobs --max 10"],
  run: async (context) => {
    const { values, client } = context;
    const { name, scope } = findPart(context, "queue", context.args[0] ?? "");
    const to = values.text("to");
    const given = values.text("max");
    const max = given === undefined ? undefined : (parseCount(given) ?? 0);
    if (max === 0)
      throw new EdgeError("USAGE", `--max takes a number from 1, not "${given ?? ""}"`);
    const body: JsonObject = {
      ...(to === undefined ? {} : { to }),
      ...(max === undefined ? {} : { max }),
      ...(scope === undefined ? {} : { scope }),
    };
    const data = await client().send("POST", `${addressOf(name)}/redrive`, body);
    const moved = textOf(field(data, "moved"));
    return { data, text: `Moved ${moved} messages to ${textOf(field(data, "to"))}` };
  },
};

const purge: Command = {
  name: "purge",
  summary: "drop every message of a queue, also those that are in flight",
  args: [QUEUE],
  options: [{ flags: "-y, --yes", summary: "do not ask" }, ...OPTIONS],
  examples: ["edge queue purge dead --yes"],
  run: async (context) => {
    const { args, values, client, output, asking } = context;
    const name = args[0] ?? "";
    if (!values.flag("yes")) {
      if (!output.interactive) {
        throw new EdgeError("USAGE", `Nobody can be asked here; pass --yes to purge ${name}`);
      }
      await asking.confirm(`Drop all messages of ${name}? [y/N] `, "Nothing was dropped");
    }
    const data = await client().send("DELETE", path(context, "messages"));
    return { data, text: `Dropped ${textOf(field(data, "purged"))} messages` };
  },
};

export const queue: CommandGroup = {
  name: "queue",
  summary: "queues of a node and their dead letters",
  commands: [list, show, messages, redrive, purge],
};

function path(
  context: CommandContext,
  rest?: string,
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const { name, scope } = findPart(context, "queue", context.args[0] ?? "");
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries({ scope, ...query })) {
    if (value !== undefined) search.set(key, value);
  }
  const address = rest === undefined ? addressOf(name) : `${addressOf(name)}/${rest}`;
  return search.size === 0 ? address : `${address}?${search.toString()}`;
}

function addressOf(name: string): string {
  return `/api/queues/${encodeURIComponent(name)}`;
}

function listOf(value: Json | undefined): readonly Json[] {
  return isList(value) ? value : [];
}

function names(value: Json | undefined): string {
  return listOf(value).length > 0 ? listOf(value).map(textOf).join(", ") : "-";
}

function ageOf(queue: Json): string {
  const seconds = field(queue, "oldest_seconds");
  return typeof seconds === "number" ? `${seconds}s` : "-";
}
