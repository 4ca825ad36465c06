// Services of a node: each command is a call or two of the admin API. Secrets of a configuration are asked for, come
// from a file, or are references; as arguments others could read them.

import { resolve } from "node:path";
import { EdgeError, isCode } from "../../sdk/errors.ts";
import { BUILT_IN } from "../../sdk/services/built-in.ts";
import type { Json, JsonObject } from "../../sdk/errors.ts";
import { NODE_OPTIONS } from "../command.ts";
import type { Command, CommandContext, CommandGroup, OptionSpec } from "../command.ts";
import { field, isList, isObject, textOf } from "../json.ts";
import { tableText } from "../output.ts";
import { parsePair } from "../parse.ts";
import { readDocument } from "../project/document.ts";

const NAME = { name: "<name>", summary: "name of the service" };
const SECRET_FIELDS: readonly string[] = ["password", "secret_key"];
/** These are lists also where one text is given. */
const LIST_FIELDS: readonly string[] = ["servers", "sentinels", "cluster"];

const CONFIG_OPTIONS: readonly OptionSpec[] = [
  {
    flags: "--set <field=value>",
    summary: "a field of its configuration; JSON or text",
    many: true,
  },
  {
    flags: "--ask <field>",
    summary: "a field that is typed unseen, or the next line of standard input",
    many: true,
  },
  { flags: "--env-file <file>", summary: "JSON file with fields" },
];

const list: Command = {
  name: "list",
  aliases: ["ls"],
  summary: "list the services of a node",
  options: NODE_OPTIONS,
  examples: ["edge services list", "edge services list --json"],
  run: async ({ client }) => {
    const data = await client().get("/api/services");
    const rows = (isList(data) ? data : []).map((service: Json) => [
      ...["name", "service_type", "state", "origin"].map((name) => textOf(field(service, name))),
      names(field(service, "endpoints")),
    ]);
    const always = BUILT_IN.map(({ name, type, state }) => [name, type, state, "-", "-"]);
    const titles = ["NAME", "TYPE", "STATE", "ORIGIN", "USED BY"];
    return { data, text: tableText(titles, [...always, ...rows]) };
  },
};

const show: Command = {
  name: "show",
  summary: "show a service and its configuration, secrets as ***",
  args: [NAME],
  options: NODE_OPTIONS,
  examples: ["edge services show main-db"],
  run: async ({ args, client }) => {
    const data = await client().get(path(args[0]));
    const { config, ...rest } = isObject(data) ? data : {};
    const rows = Object.entries(rest).map(([name, value]: [string, Json]) => [
      name,
      name === "endpoints" ? names(value) : textOf(value),
    ]);
    const fields = Object.entries(isObject(config) ? config : {}).map(
      ([name, value]: [string, Json]) => [`config.${name}`, textOf(value)],
    );
    return { data, text: tableText(["FIELD", "VALUE"], [...rows, ...fields]) };
  },
};

const add: Command = {
  name: "add",
  summary: "add a service, activate it and ask it whether it answers",
  args: [
    {
      name: "<type>",
      summary: "sqlite, postgres, redis, memcached, minio (s3), email (smtp) or embedded",
    },
    NAME,
  ],
  options: [
    ...CONFIG_OPTIONS,
    { flags: "--no-activate", summary: "it takes no calls yet" },
    ...NODE_OPTIONS,
  ],
  examples: [
    "edge services add redis sessions --set host=10.0.0.7",
    "edge services add postgres main-db --set host=db --set database=shop --set username=shop --ask password",
    "edge services add s3 files --env-file files.json --set 'secret_key=${secret:S3_KEY}'",
  ],
  run: async (context) => {
    const [type = "", name = ""] = context.args;
    const { client, output, values } = context;
    const config = await readConfig(context);
    const made = await client().send("POST", "/api/services", { name, service_type: type, config });
    if (values.flag("no-activate")) {
      return { data: made, text: `Added ${name}; activate it: edge services activate ${name}` };
    }
    await client().send("POST", `${path(name)}/activate`);
    output.step(`Asking ${name}`);
    const test = await client().send("POST", `${path(name)}/test`);
    if (field(test, "connected") !== true) {
      output.warn(`${name} does not answer yet: ${textOf(field(test, "error"))}`);
    }
    const service = await client().get(path(name));
    const data = { ...(isObject(service) ? service : {}), test };
    return { data, text: `Added ${name}${answered(test, ", ")}` };
  },
};

const set: Command = {
  name: "set",
  summary: "change fields of a service's configuration; an empty value takes one away",
  args: [NAME],
  options: [
    ...CONFIG_OPTIONS,
    { flags: "--rename <name>", summary: "a new name" },
    ...NODE_OPTIONS,
  ],
  examples: [
    "edge services set main-db --set pool_size=20",
    "edge services set main-db --ask password",
    "edge services set main-db --set ssl_ca=",
  ],
  run: async (context) => {
    const config = await readConfig(context);
    const renamed = context.values.text("rename");
    if (renamed === undefined && Object.keys(config).length === 0) {
      throw new EdgeError("USAGE", "Nothing to change: pass --set, --ask, --env-file or --rename");
    }
    const body = { config, ...(renamed === undefined ? {} : { name: renamed }) };
    const data = await context.client().send("PUT", path(context.args[0]), body);
    return { data, text: `Changed ${textOf(field(data, "name"))}` };
  },
};

const test: Command = {
  name: "test",
  summary: "ask a service whether it answers; fails when it does not",
  args: [NAME],
  options: NODE_OPTIONS,
  examples: ["edge services test main-db"],
  run: async ({ args, client, output }) => {
    output.step(`Asking ${args[0] ?? ""}`);
    const data = await client().send("POST", `${path(args[0])}/test`);
    if (field(data, "connected") === true) {
      return { data, text: `${args[0] ?? ""} answers${answered(data, ": ")}` };
    }
    const code = field(data, "code");
    const detail = isObject(data) ? { detail: data } : {};
    throw new EdgeError(
      isCode(code) ? code : "SERVICE_UNAVAILABLE",
      textOf(field(data, "error")),
      detail,
    );
  },
};

function switching(name: string, summary: string): Command {
  return {
    name,
    summary,
    args: [NAME],
    options: NODE_OPTIONS,
    examples: [`edge services ${name} main-db`],
    run: async ({ args, client }) => {
      const data = await client().send("POST", `${path(args[0])}/${name}`);
      return { data, text: textOf(field(data, "message")) };
    },
  };
}

const remove: Command = {
  name: "delete",
  summary: "delete a service that no endpoint uses",
  args: [NAME],
  options: [{ flags: "-y, --yes", summary: "do not ask" }, ...NODE_OPTIONS],
  examples: ["edge services delete main-db --yes"],
  run: async ({ args, values, client, output, asking }) => {
    const name = args[0] ?? "";
    if (!values.flag("yes")) {
      if (!output.interactive) {
        throw new EdgeError("USAGE", `Nobody can be asked here; pass --yes to delete ${name}`);
      }
      await asking.confirm(`Delete ${name}? [y/N] `, "Nothing was deleted");
    }
    await client().send("DELETE", path(name));
    return { data: { service: name, deleted: true }, text: `Deleted ${name}` };
  },
};

export const services: CommandGroup = {
  name: "services",
  summary: "databases, caches and other servers that endpoints can bind",
  commands: [
    list,
    show,
    add,
    set,
    test,
    switching("activate", "let a service take calls"),
    switching("deactivate", "let a service take no more calls; those under way end"),
    remove,
  ],
};

async function readConfig({ values, cwd, asking }: CommandContext): Promise<JsonObject> {
  const file = values.text("env-file");
  const config: Record<string, Json> = {
    ...(file === undefined ? {} : readDocument(resolve(cwd, file), cwd).value),
  };
  for (const pair of values.list("set")) {
    const [name, text] = parsePair(pair, "--set");
    if (SECRET_FIELDS.includes(name) && text !== "" && !/^\$\{secret:\w+\}$/.test(text)) {
      const instead = `use --ask ${name}, --env-file, or \${secret:NAME}`;
      throw new EdgeError("USAGE", `Others can see arguments: ${instead}`);
    }
    config[name] = readValue(name, text);
  }
  for (const name of values.list("ask")) config[name] = await asking.secretLine(`${name}: `);
  return config;
}

/** Numbers, true, false and what else is JSON; other texts as they are. */
function readValue(name: string, text: string): Json {
  if (text === "") return null;
  if (LIST_FIELDS.includes(name) && !text.startsWith("[")) return text.split(",");
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function path(name: string | undefined): string {
  return `/api/services/${encodeURIComponent(name ?? "")}`;
}

function names(value: Json | undefined): string {
  return isList(value) && value.length > 0 ? value.map(textOf).join(", ") : "-";
}

/** ", PostgreSQL 15.8 in 2 ms" */
function answered(data: Json, before: string): string {
  if (field(data, "connected") !== true) return "";
  const latency = Number(field(data, "latency_ms") ?? 0).toFixed(1);
  return `${before}${textOf(field(data, "info"))} in ${latency} ms`;
}
