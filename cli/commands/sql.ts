// SQL on a node's databases: statements, scripts, and (migrations.ts) what brings a schema up to date.

import { resolve } from "node:path";
import { EdgeError } from "../../sdk/errors.ts";
import type { Json } from "../../sdk/errors.ts";
import type { Command, CommandGroup } from "../command.ts";
import { counted, databasePath, NAME, readSql, scopeOf, SQL_OPTIONS } from "../database.ts";
import { field, isList, textOf } from "../json.ts";
import { printable, tableText } from "../output.ts";
import { findPart } from "../project/part.ts";
import { migrate, migrations } from "./migrations.ts";

/** Of a table for people; --json has all of it. */
const CELL_CHARS_MAX = 80;

const query: Command = {
  name: "query",
  summary: "run one statement and show its rows",
  args: [NAME, { name: "<sql>", summary: "the statement; ?, ?1 and $1 are parameters" }],
  options: [
    { flags: "--param <value>", summary: "a parameter, in order; JSON or text", many: true },
    ...SQL_OPTIONS,
  ],
  examples: [
    'edge sql query DB "SELECT * FROM pets"',
    'edge sql query shop "SELECT * FROM pets WHERE name = ?" --param Rex --json',
    'edge sql query main-db "SELECT version()"',
  ],
  run: async (context) => {
    const [name = "", sql = ""] = context.args;
    const part = findPart(context, "database", name);
    const params = context.values.list("param").map(readValue);
    const body = { sql, params, ...scopeOf(part) };
    context.output.step(`Asking ${name}`);
    const data = await context.client().send("POST", databasePath(part, "query"), body);
    return { data, text: resultText(data) };
  },
};

const exec: Command = {
  name: "exec",
  summary: "run a script of statements, all or none",
  args: [NAME, { name: "[sql]", summary: "the statements, where no file has them" }],
  options: [{ flags: "--file <file>", summary: "file with statements" }, ...SQL_OPTIONS],
  examples: [
    "edge sql exec shop --file schema.sql",
    'edge sql exec DB "DELETE FROM pets; DELETE FROM owners"',
  ],
  run: async (context) => {
    const [name = "", given] = context.args;
    const file = context.values.text("file");
    if ((given === undefined) === (file === undefined)) {
      throw new EdgeError("USAGE", "Give either statements or --file");
    }
    const part = findPart(context, "database", name);
    const sql = file === undefined ? (given ?? "") : readSql(resolve(context.cwd, file), file);
    context.output.step(`Running statements on ${name}`);
    const body = { sql, ...scopeOf(part) };
    const data = await context.client().send("POST", databasePath(part, "exec"), body);
    return { data, text: `Ran ${counted(Number(field(data, "count")), "statement")}` };
  },
};

export const sql: CommandGroup = {
  name: "sql",
  summary: "statements and migrations on a node's databases",
  commands: [query, exec, migrate, migrations],
};

function readValue(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function resultText(data: Json): string {
  const columns = field(data, "columns");
  const results = field(data, "results");
  if (!isList(columns) || columns.length === 0) {
    return `Changed ${counted(Number(field(field(data, "meta"), "changes")), "row")}`;
  }
  const names = columns.map(textOf);
  const rows = (isList(results) ? results : []).map((row: Json) =>
    names.map((name) => cellText(field(row, name))),
  );
  return `${tableText(names.map(cellText), rows)}\n${counted(rows.length, "row")}`;
}

function cellText(value: Json | undefined): string {
  const text = printable(value === null ? "NULL" : textOf(value));
  return text.length <= CELL_CHARS_MAX ? text : `${text.slice(0, CELL_CHARS_MAX - 1)}…`;
}
