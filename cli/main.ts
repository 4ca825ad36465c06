// The command line. Commands are data (command.ts, commands.ts); this file makes a parser of them and decides
// on exit codes: 0, 1 for what failed, 2 for wrong usage. edge.ts runs it.

import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Command as Parser, CommanderError, Option } from "commander";
import { EdgeError } from "../sdk/errors.ts";
import { createClient, resolveNode } from "./client.ts";
import type { Client } from "./client.ts";
import { createAsking } from "./asking.ts";
import type { Keyboard } from "./asking.ts";
import type { Command, CommandContext, CommandGroup, OptionSpec } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { createOutput } from "./output.ts";
import type { Output, Sink } from "./output.ts";
import { createValues } from "./values.ts";

export interface MainOptions {
  /** Without node and script. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdinIsTty: boolean;
  /** Without it, this process's. */
  readonly stdin?: Keyboard;
}

const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { flags: "--json", summary: "print exactly one JSON document" },
  {
    flags: "--admin <url>",
    summary: "admin API of the node",
    env: "EDGE_ADMIN_URL",
    fallback: "http://127.0.0.1:9081",
  },
  { flags: "--token <token>", summary: "admin token of the node", env: "EDGE_ADMIN_TOKEN" },
];

const FIRST_STEPS = `
First steps:
  edge serve               in one terminal
  edge publish hello.ts    in another
  edge publish --help      every command has examples
`;

/** Runs one command line. Resolves to the exit code; never rejects. */
export async function main(options: MainOptions): Promise<number> {
  const json = options.argv.includes("--json");
  const output = createOutput({ ...options, json });
  let failed: Parser | null = null;
  const onFailure = (parser: Parser, error: CommanderError): never => {
    failed = parser;
    throw error;
  };
  try {
    assertIsText(options.argv);
    const parser = createParser({ options, output, onFailure });
    await parser.parseAsync([...options.argv], { from: "user" });
    return 0;
  } catch (error) {
    if (!(error instanceof CommanderError)) return output.error(error);
    if (error.exitCode === 0) return 0;
    return output.error(usageError(error, failed, (text) => output.note(text)));
  }
}

/** Node puts U+FFFD in the place of bytes that are no UTF-8: another file's name, another key. */
function assertIsText(argv: readonly string[]): void {
  const broken = argv.find((text) => text.includes("\ufffd"));
  if (broken !== undefined) throw new EdgeError("USAGE", `The argument "${broken}" is not UTF-8`);
}

/** `parser`: of the command that failed; null: before there was one. */
function usageError(
  error: CommanderError,
  parser: Parser | null,
  note: (text: string) => void,
): EdgeError {
  const isRoot = parser?.parent === null;
  if (error.code === "commander.help" && parser !== null) {
    note(parser.helpInformation());
    const after = isRoot ? "" : ` after "${wordsOf(parser)}"`;
    return new EdgeError("USAGE", `A command is missing${after}`);
  }
  const message = error.message.replace(/^error: /, "").replace(/\n+\((.*)\)$/, ". $1");
  if (parser === null || isRoot) return new EdgeError("USAGE", message);
  const usage = parser.createHelp().commandUsage(parser);
  return new EdgeError("USAGE", `${message.replace(/[^.?]$/, "$&.")} Usage: ${usage}`);
}

/** "edge kv get" */
function wordsOf(parser: Parser): string {
  return parser.parent === null ? parser.name() : `${wordsOf(parser.parent)} ${parser.name()}`;
}

function createParser(surroundings: Surroundings): Parser {
  const { options, onFailure } = surroundings;
  const parser = new Parser("edge")
    .description("Runs fetch handlers on your own machines.")
    .version(readVersion(), "-V, --version")
    .addHelpText("after", FIRST_STEPS)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => options.stdout.write(text),
      // Errors are printed by main, in one form with all others.
      writeErr: () => undefined,
    })
    .exitOverride((error) => onFailure(parser, error));
  for (const spec of GLOBAL_OPTIONS) parser.addOption(createOption(spec));
  addAll(parser, COMMANDS, surroundings);
  addHelp(parser);
  return parser;
}

interface Surroundings {
  readonly options: MainOptions;
  readonly output: Output;
  readonly onFailure: (parser: Parser, error: CommanderError) => never;
}

/** Commander's own gives the group's help for `help kv get`, and takes `help nosuch` for a command that is missing. */
function addHelp(parser: Parser): void {
  parser.helpCommand(false);
  const isHidden = parser.parent !== null;
  const sub = parser.command("help [command...]", { hidden: isHidden });
  sub.summary("show the help of a command").action((words: readonly string[]) => {
    let found = parser;
    for (const word of words) {
      const next = found.commands.find((one) => [one.name(), ...one.aliases()].includes(word));
      if (next === undefined) {
        const message = `There is no command "${wordsOf(parser)} ${words.join(" ")}"`;
        throw new EdgeError("USAGE", message);
      }
      found = next;
    }
    found.outputHelp();
  });
}

function addAll(
  parser: Parser,
  commands: readonly (Command | CommandGroup)[],
  surroundings: Surroundings,
): void {
  for (const each of commands) {
    if (!("commands" in each)) addCommand(parser, each, surroundings);
    else {
      const sub = parser.command(each.name).summary(each.summary).description(each.summary);
      sub.exitOverride((error) => surroundings.onFailure(sub, error));
      addAll(sub, each.commands, surroundings);
      addHelp(sub);
    }
  }
}

function addCommand(parser: Parser, command: Command, surroundings: Surroundings): void {
  const { options, output, onFailure } = surroundings;
  const sub = parser
    .command(command.name)
    .aliases(command.aliases ?? [])
    .summary(command.summary)
    .description(command.summary)
    .addHelpText("after", examplesText(command))
    .exitOverride((error) => onFailure(sub, error));
  for (const { name, summary } of command.args ?? []) sub.argument(name, summary);
  for (const spec of command.options) sub.addOption(createOption(spec));
  sub.action(async (...received: unknown[]) => {
    const given = received.slice(0, command.args?.length ?? 0);
    const args = given.map((arg) => (typeof arg === "string" ? arg : undefined));
    for (const [index, { name }] of (command.args ?? []).entries()) {
      if (!name.startsWith("<") || args[index] !== "") continue;
      throw new EdgeError("USAGE", `${name} must not be empty`);
    }
    const specs = [...GLOBAL_OPTIONS, ...command.options];
    const values = createValues(specs, sub.optsWithGlobals(), options.env);
    const context: CommandContext = {
      args,
      values,
      output,
      asking: createAsking(options.stdin ?? process.stdin, options.stderr),
      client: lazyClient(values, options),
      env: options.env,
      cwd: options.cwd,
    };
    output.result(await command.run(context));
  });
}

function lazyClient(values: CommandContext["values"], options: MainOptions): () => Client {
  let client: Client | null = null;
  return () => {
    const data = resolve(options.cwd, values.text("data") ?? ".edge");
    const given = { admin: values.text("admin"), token: values.text("token"), data };
    client ??= createClient(resolveNode(given, options.env));
    return client;
  };
}

function createOption(spec: OptionSpec): Option {
  const notes = [
    spec.choices === undefined ? "" : `one of ${spec.choices.join(", ")}`,
    spec.fallback === undefined ? "" : `default ${spec.fallback}`,
    spec.env === undefined ? "" : `env ${spec.env}`,
    spec.many === true ? "may be repeated" : "",
  ].filter((note) => note !== "");
  const text = notes.length === 0 ? spec.summary : `${spec.summary} (${notes.join("; ")})`;
  const option = new Option(spec.flags, text);
  if (spec.many !== true) return option;
  return option.argParser((value: string, previous: readonly string[] | undefined) => [
    ...(previous ?? []),
    value,
  ]);
}

function examplesText({ examples }: Command): string {
  if (examples.length === 0) return "";
  return `\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}\n`;
}

/** From the nearest package.json above: in a clone beside cli/, in the installed package above dist/. */
function readVersion(): string {
  for (const path of ["../package.json", "../../package.json"]) {
    const url = new URL(path, import.meta.url);
    const text = existsSync(url) ? readFileSync(url, "utf8") : "";
    const version = /"version":\s*"([^"]+)"/.exec(text)?.[1];
    if (version !== undefined) return version;
  }
  return "unknown";
}
