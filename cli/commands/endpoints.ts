// Commands that read or change what a node has: each is one call of the admin API and a way to show its answer.

import { EdgeError } from "../../sdk/errors.ts";
import type { Json } from "../../sdk/errors.ts";
import { field, isList, textOf } from "../json.ts";
import { NODE_OPTIONS } from "../command.ts";
import type { ArgumentSpec, Command } from "../command.ts";
import { tableText } from "../output.ts";

const NAME: ArgumentSpec = { name: "<name>", summary: "name of the endpoint" };

export const list: Command = {
  name: "list",
  aliases: ["ls"],
  summary: "list the endpoints of a node",
  options: NODE_OPTIONS,
  examples: ["edge list", "edge list --json --admin http://10.0.0.5:9081"],
  run: async ({ client }) => {
    const data = await client().get("/api/endpoints");
    const rows = items(data).map((endpoint) => [
      cell(endpoint, "name"),
      cell(endpoint, "state", "status"),
      cell(endpoint, "version"),
      cell(endpoint, "generation"),
      routesCell(endpoint),
    ]);
    const head = ["NAME", "STATE", "VERSION", "GEN", "ROUTES"];
    const empty = "There are no endpoints yet. Publish one: edge publish hello.ts";
    return { data, text: rows.length === 0 ? empty : tableText(head, rows) };
  },
};

export const show: Command = {
  name: "show",
  summary: "show one endpoint",
  args: [NAME],
  options: NODE_OPTIONS,
  examples: ["edge show hello"],
  run: async ({ args, client }) => {
    const data = await client().get(endpointPath(args[0]));
    const fields = typeof data === "object" && data !== null ? Object.entries(data) : [];
    const rows = fields
      .filter(([name]) => name !== "code")
      .map(([name, value]: [string, Json]) => [name, fieldText(name, value, data)]);
    return { data, text: tableText(["FIELD", "VALUE"], rows) };
  },
};

export const versions: Command = {
  name: "versions",
  summary: "list the versions of an endpoint, newest first",
  args: [NAME],
  options: NODE_OPTIONS,
  examples: ["edge versions hello"],
  run: async ({ args, client }) => {
    const data = await client().get(`${endpointPath(args[0])}/versions`);
    const rows = items(data).map((version) => [
      cell(version, "id"),
      marks(version),
      cell(version, "createdAt", "created_at"),
      cell(version, "bundleBytes", "bundle_bytes"),
      cell(version, "message"),
    ]);
    return { data, text: tableText(["VERSION", "", "CREATED", "BYTES", "MESSAGE"], rows) };
  },
};

export const rollback: Command = {
  name: "rollback",
  summary: "put an earlier version live again, by default the one before",
  args: [NAME, { name: "[version]", summary: "version to go back to" }],
  options: [{ flags: "--message <text>", summary: "why" }, ...NODE_OPTIONS],
  examples: ["edge rollback hello", "edge rollback hello 3f2a9c01d4e5b678"],
  run: async ({ args, values, client, output }) => {
    const version = args[1];
    const message = values.text("message");
    output.step(`Rolling ${args[0] ?? ""} back`);
    const data = await client().send("POST", `${endpointPath(args[0])}/rollback`, {
      ...(version === undefined ? {} : { version }),
      ...(message === undefined ? {} : { message }),
    });
    const live = `${cell(data, "version")} (generation ${cell(data, "generation")})`;
    return { data, text: `${args[0] ?? ""} serves ${live}` };
  },
};

export const resume: Command = {
  name: "resume",
  summary: "let an endpoint serve again that is quarantined or stopped",
  args: [NAME],
  options: NODE_OPTIONS,
  examples: ["edge resume hello"],
  run: async ({ args, client }) => {
    const data = await client().send("POST", `${endpointPath(args[0])}/start`);
    const live = `${cell(data, "version")} (generation ${cell(data, "generation")})`;
    return { data, text: `${args[0] ?? ""} serves ${live}` };
  },
};

export const remove: Command = {
  name: "delete",
  summary: "delete an endpoint with all its versions",
  args: [NAME],
  options: [{ flags: "-y, --yes", summary: "do not ask" }, ...NODE_OPTIONS],
  examples: ["edge delete hello --yes"],
  run: async ({ args, values, client, output, asking }) => {
    const name = args[0] ?? "";
    if (!values.flag("yes")) {
      if (!output.interactive) {
        throw new EdgeError("USAGE", `Nobody can be asked here; pass --yes to delete ${name}`);
      }
      const question = `Delete ${name} with all its versions? [y/N] `;
      await asking.confirm(question, "Nothing was deleted");
    }
    output.step(`Deleting ${name}`);
    await client().send("DELETE", endpointPath(name));
    return { data: { endpoint: name, deleted: true }, text: `Deleted ${name}` };
  },
};

function endpointPath(name: string | undefined): string {
  return `/api/endpoints/${encodeURIComponent(name ?? "")}`;
}

function items(data: Json): readonly Json[] {
  return isList(data) ? data : [];
}

/** The first of the fields that is there, as text. */
function cell(value: Json, ...names: readonly string[]): string {
  for (const name of names) {
    const found = field(value, name);
    if (found !== undefined && found !== null) return textOf(found);
  }
  return "-";
}

function fieldText(name: string, value: Json, endpoint: Json): string {
  if (name === "routes") return routesCell(endpoint);
  if (name === "strikes") return strikesCell(value);
  return name === "quarantine" ? cell(value, "since") : textOf(value);
}

function marks(version: Json): string {
  return ["live", "quarantined"].filter((name) => field(version, name) === true).join(", ");
}

function strikesCell(strikes: Json): string {
  const texts = items(strikes).map((one) => `${cell(one, "reason")} at ${cell(one, "at")}`);
  return texts.length === 0 ? "-" : texts.join(", ");
}

function routesCell(endpoint: Json): string {
  const routes = items(field(endpoint, "routes") ?? null).map((route) => {
    const methods = items(field(route, "methods") ?? null).map(textOf);
    const host = cell(route, "host");
    const address = `${host === "*" ? "" : host}${cell(route, "path")}`;
    return methods.length === 0 ? address : `${methods.join(",")} ${address}`;
  });
  return routes.length === 0 ? cell(endpoint, "path") : routes.join("  ");
}
