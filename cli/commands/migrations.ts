// Migrations of a database: numbered files of SQL in a folder, applied in the order of their numbers, each once. The
// node keeps which were, in the database itself; the files stay on this side.

import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { EdgeError } from "../../sdk/errors.ts";
import type { Json } from "../../sdk/errors.ts";
import type { Command, CommandContext, CommandGroup } from "../command.ts";
import { counted, databasePath, NAME, readSql, scopeOf, SQL_OPTIONS } from "../database.ts";
import { orUnwritable } from "../files.ts";
import { field, isList, textOf } from "../json.ts";
import { printable, tableText } from "../output.ts";
import { findPart } from "../project/part.ts";
import type { NamedPart } from "../project/part.ts";

const FOLDER = "migrations";
const FOLDER_ARGUMENT = {
  name: "[folder]",
  summary: "where the files are; otherwise migrations_dir of the binding, or migrations",
};
const NUMBERED = /^\d.*\.sql$/;
/** 0002 before 0010 before 20250101. */
const BY_NUMBER = new Intl.Collator("en", { numeric: true });
/** As wrangler writes them: 0001. */
const NUMBER_DIGITS = 4;
const SLUG_CHARS_MAX = 100;

interface Folder {
  readonly part: NamedPart;
  /** Absolute. */
  readonly path: string;
  /** As people should read it. */
  readonly shown: string;
  readonly table: string | undefined;
}

export const migrate: Command = {
  name: "migrate",
  summary: "apply the migrations that a database does not have yet, up to the first that fails",
  args: [NAME, FOLDER_ARGUMENT],
  options: SQL_OPTIONS,
  examples: ["edge sql migrate DB", "edge sql migrate main-db db/migrations"],
  run: async (context) => {
    const folder = folderOf(context, context.args[1]);
    const { part, table } = folder;
    const files = readFolder(folder);
    const before = new Set((await readApplied(context, folder)).map(nameOf));
    const applied: string[] = [];
    for (const name of files.filter((file) => !before.has(file))) {
      context.output.step(`Applying ${name}`);
      const sql = readSql(join(folder.path, name), join(folder.shown, name));
      const body = { name, sql, ...(table === undefined ? {} : { table }), ...scopeOf(part) };
      try {
        const data = await context.client().send("POST", databasePath(part, "migrations"), body);
        // Somebody else may have been quicker.
        if (field(data, "applied") === true) applied.push(name);
      } catch (error) {
        throw failed(error, { name, applied, folder });
      }
      context.output.note(`Applied ${name}`);
    }
    const none = `Nothing to apply: all ${counted(files.length, "migration")} are there`;
    const text = applied.length === 0 ? none : `Applied ${counted(applied.length, "migration")}`;
    return { data: { applied }, text };
  },
};

const list: Command = {
  name: "list",
  aliases: ["ls"],
  summary: "list migrations: which are applied, which are not yet",
  args: [NAME, FOLDER_ARGUMENT],
  options: SQL_OPTIONS,
  examples: ["edge sql migrations list DB"],
  run: async (context) => {
    const folder = folderOf(context, context.args[1]);
    const files = readFolder(folder);
    const applied = await readApplied(context, folder);
    const names = new Set(applied.map(nameOf));
    const pending = files.filter((file) => !names.has(file));
    const rows = applied.map((each) => {
      const isMissing = !files.includes(nameOf(each));
      const at = textOf(field(each, "applied_at"));
      return [printable(nameOf(each)), isMissing ? `${at} (no file)` : at];
    });
    const all = [...rows, ...pending.map((file) => [file, "pending"])];
    const text = tableText(["MIGRATION", "APPLIED"], all);
    return { data: { pending, applied }, text };
  },
};

const create: Command = {
  name: "create",
  summary: "make an empty file for the next migration",
  args: [NAME, { name: "<message>", summary: "what it does; part of the file's name" }],
  options: SQL_OPTIONS,
  examples: ['edge sql migrations create DB "pets have owners"'],
  run: async (context) => {
    const message = context.args[1] ?? "";
    const folder = folderOf(context, undefined);
    orUnwritable(folder.path, () => mkdirSync(folder.path, { recursive: true }));
    const last = readFolder(folder).at(-1) ?? "0";
    const number = `${BigInt(/^\d+/.exec(last)?.[0] ?? "0") + 1n}`.padStart(NUMBER_DIGITS, "0");
    const slug = message.replaceAll(/[^\p{L}\p{N}]+/gu, "_").replaceAll(/^_+|_+$/g, "");
    if (slug === "") throw new EdgeError("USAGE", `"${message}" is no name for a file`);
    const name = `${number}_${slug.slice(0, SLUG_CHARS_MAX)}.sql`;
    // Never over one that is there.
    const file = join(folder.shown, name);
    const text = `-- ${message.replaceAll(/\s+/g, " ")}\n`;
    orUnwritable(file, () => writeFileSync(join(folder.path, name), text, { flag: "wx" }));
    return { data: { file }, text: `Made ${file}` };
  },
};

export const migrations: CommandGroup = {
  name: "migrations",
  summary: "the migrations of a database",
  commands: [list, create],
};

function folderOf(context: CommandContext, given: string | undefined): Folder {
  const { args, cwd } = context;
  const part = findPart(context, "database", args[0] ?? "");
  const path =
    given === undefined
      ? resolve(part.folder, part.text("migrations_dir") ?? FOLDER)
      : resolve(cwd, given);
  return { part, path, shown: relative(cwd, path) || ".", table: part.text("migrations_table") };
}

/** Names of files, in the order in which they are applied. */
function readFolder({ path, shown }: Folder): readonly string[] {
  let names: readonly string[];
  try {
    names = readdirSync(path).filter((name) => name.endsWith(".sql"));
  } catch (cause) {
    throw new EdgeError("USAGE", `There is no folder ${shown}`, { cause });
  }
  const odd = names.find((name) => !NUMBERED.test(name));
  if (odd === undefined) return names.toSorted(BY_NUMBER.compare);
  const file = join(shown, odd);
  throw new EdgeError("USAGE", `${file} has no number: names such as 0001_pets.sql are expected`);
}

async function readApplied(
  { client }: CommandContext,
  { part, table }: Folder,
): Promise<readonly Json[]> {
  const search = new URLSearchParams();
  if (part.scope !== undefined) search.set("scope", part.scope);
  if (table !== undefined) search.set("table", table);
  const data = await client().get(`${databasePath(part, "migrations")}?${search.toString()}`);
  return isList(data) ? data : [];
}

function nameOf(applied: Json): string {
  return textOf(field(applied, "name"));
}

/** An error of its SQL begins with file and line. */
function failed(
  error: unknown,
  { name, applied, folder }: { name: string; applied: readonly string[]; folder: Folder },
): unknown {
  if (!(error instanceof EdgeError)) return error;
  const { code, message, detail } = error;
  const file = join(folder.shown, name);
  const placed = message.startsWith(`${name}:`)
    ? join(folder.shown, message)
    : `${file}: ${message}`;
  const text = `${placed}\nNothing of ${name} was kept.`;
  return new EdgeError(code, text, { detail: { ...detail, file, applied }, cause: error });
}
