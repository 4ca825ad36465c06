// Commands are data: a file in commands/ exports one Command, and commands.ts lists it. main.ts turns the
// list into a parser and help, runs what was asked for and prints what `run` returns: `data` with --json,
// `text` otherwise. So a command never writes to stdout itself and --json stays one document; what it has to
// say meanwhile goes through `output` to stderr. Failure is an EdgeError that `run` throws.

import type { Json } from "../sdk/errors.ts";
import type { Asking } from "./asking.ts";
import type { Client } from "./client.ts";
import type { Output } from "./output.ts";
import type { Values } from "./values.ts";

export interface OptionSpec {
  /** As commander reads it: "--port <number>", "-y, --yes", "--no-demo". */
  readonly flags: string;
  readonly summary: string;
  /** May be given several times. */
  readonly many?: boolean;
  /** Environment variable that stands in for the flag; several values are separated by commas. */
  readonly env?: string;
  readonly choices?: readonly string[];
  /** What holds without it; shown in the help, applied by the command. */
  readonly fallback?: string;
}

export interface ArgumentSpec {
  /** "<name>" or "[version]". */
  readonly name: string;
  readonly summary: string;
}

export interface CommandResult {
  readonly data: Json;
  readonly text: string;
}

export interface CommandContext {
  readonly args: readonly (string | undefined)[];
  readonly values: Values;
  readonly output: Output;
  readonly asking: Asking;
  /** The node that --admin or the environment names. Made on first use. */
  readonly client: () => Client;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

export interface Command {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly args?: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  /** Whole command lines, shown in the help. */
  readonly examples: readonly string[];
  readonly run: (context: CommandContext) => Promise<CommandResult>;
}

/** Commands with a word in common: `edge services list`, `edge sql migrations list`. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly (Command | CommandGroup)[];
}

/** Of every command that talks to a node. */
export const NODE_OPTIONS: readonly OptionSpec[] = [
  {
    flags: "--data <folder>",
    summary: "data folder of a node on this machine, to read its admin token",
    env: "EDGE_DATA",
    fallback: ".edge",
  },
];
