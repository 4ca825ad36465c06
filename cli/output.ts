// What a command prints and where: its result on stdout, exactly one JSON document with --json; everything
// else (progress, notes, warnings, errors for people) on stderr.

import { EdgeError, errorData, infoOf } from "../sdk/errors.ts";
import type { ErrorData } from "../sdk/errors.ts";
import type { CommandResult } from "./command.ts";

export interface Sink {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export interface Output {
  readonly json: boolean;
  /** Somebody sits before it and can be asked. */
  readonly interactive: boolean;
  result(result: CommandResult): void;
  /** Gives the exit code. */
  error(error: unknown): number;
  note(text: string): void;
  warn(text: string): void;
  /** Like `note`, also with --json. */
  log(text: string): void;
  /** Shows `text` if the step is still running after PROGRESS_DELAY_MS. The next step replaces it. */
  step(text: string): void;
  /** Ends the step that is shown. Everything that prints does so by itself. */
  stepDone(): void;
}

/** What is faster feels immediate; a line that only flashes up disturbs. */
export const PROGRESS_DELAY_MS = 200;
const FRAME_MS = 80;
const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"] as const;
const CLEAR_LINE = "\r\u001b[2K";
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

export interface OutputOptions {
  readonly json: boolean;
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdinIsTty: boolean;
}

export function createOutput({ json, stdout, stderr, stdinIsTty }: OutputOptions): Output {
  const tty = stderr.isTTY === true;
  let timer: NodeJS.Timeout | null = null;
  let drawn = false;
  const stepDone = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (drawn) stderr.write(CLEAR_LINE);
    drawn = false;
  };
  const say = (text: string): void => {
    stepDone();
    stderr.write(`${text}\n`);
  };
  const draw = (text: string, frame: number): void => {
    drawn = true;
    stderr.write(`${CLEAR_LINE}${FRAMES[frame % FRAMES.length] ?? ""} ${text}`);
    timer = setTimeout(draw, FRAME_MS, text, frame + 1);
    timer.unref();
  };
  return {
    json,
    interactive: !json && tty && stdinIsTty,
    result: ({ data, text }) => {
      stepDone();
      if (json) stdout.write(`${JSON.stringify({ ok: true, data })}\n`);
      else if (text !== "") stdout.write(`${text}\n`);
    },
    error: (error) => {
      stepDone();
      const data = errorData(error);
      if (json) stdout.write(`${JSON.stringify({ ok: false, error: data })}\n`);
      else stderr.write(`${errorText(data)}\n`);
      // A bug of the command's; what the node had to say of its own stands in its log.
      if (error instanceof Error && !(error instanceof EdgeError)) {
        stderr.write(`${error.stack ?? ""}\n`);
      }
      return data.code === "USAGE" ? EXIT_USAGE : EXIT_FAILED;
    },
    note: (text) => {
      if (!json) say(text);
    },
    log: say,
    warn: (text) => say(`warning: ${text}`),
    step: (text) => {
      stepDone();
      if (tty) timer = setTimeout(draw, PROGRESS_DELAY_MS, text, 0);
      else timer = setTimeout(() => stderr.write(`${text} …\n`), PROGRESS_DELAY_MS);
      timer.unref();
    },
    stepDone,
  };
}

/** What happened, why, what to do. */
export function errorText({ code, message }: ErrorData): string {
  const { title, fix } = infoOf(code);
  const lines = [`error: ${title} (${code})`];
  if (message !== title) lines.push("", message);
  if (fix !== undefined) lines.push("", `To do: ${fix}`);
  return lines.join("\n");
}

export function tableText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return columnsText([head, ...rows]);
}

/** Padded to their widest cell. */
export function columnsText(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** A text of whoever wrote it, without what moves a cursor, rings or turns the direction of writing. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, (char) => {
    const escaped = JSON.stringify(char).slice(1, -1);
    return escaped === char ? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}` : escaped;
  });
}
