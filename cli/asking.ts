// Asking whoever sits before the terminal. Secrets are typed unseen, or come on standard input: as an argument every
// user of the machine could read them, and the shell would remember them.

import { createInterface } from "node:readline/promises";
import { EdgeError } from "../sdk/errors.ts";
import type { Sink } from "./output.ts";

export interface Keyboard extends NodeJS.ReadableStream {
  readonly isTTY?: boolean;
  /** Whether each key comes at once, and is not shown. */
  setRawMode?(isRaw: boolean): unknown;
}

export interface Asking {
  /** All of standard input without its last line feed, or what is typed. */
  secret(question: string): Promise<string>;
  /** The next line of standard input, or what is typed. */
  secretLine(question: string): Promise<string>;
  /** Rejects with CANCELLED unless the answer is yes. */
  confirm(question: string, otherwise: string): Promise<void>;
}

/** Above every limit on what is asked for. */
const INPUT_BYTES_MAX: number = 1024 * 1024;
const ENTER: ReadonlySet<string> = new Set(["\r", "\n", "\u0004"]);
const BACK: ReadonlySet<string> = new Set(["\u007f", "\b"]);
const INTERRUPT = "\u0003";

export function createAsking(stdin: Keyboard, stderr: Sink): Asking {
  let lines: string[] | null = null;
  const isTyped = stdin.isTTY === true && stdin.setRawMode !== undefined;
  return {
    secret: (question) => (isTyped ? typed(stdin, stderr, question) : readAll(stdin)),
    secretLine: async (question) => {
      if (isTyped) return typed(stdin, stderr, question);
      lines ??= (await readAll(stdin)).split("\n");
      return lines.shift() ?? "";
    },
    confirm: async (question, otherwise) => {
      const readline = createInterface({ input: stdin, output: process.stderr });
      // End of input and Ctrl-C are a no.
      const closed = new Promise<string>((done) => readline.once("close", () => done("")));
      const answer = await Promise.race([readline.question(question), closed]);
      readline.close();
      if (!/^y(?:es)?$/i.test(answer.trim())) throw new EdgeError("CANCELLED", otherwise);
    },
  };
}

async function readAll(stdin: Keyboard): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const piece = Buffer.from(chunk);
    bytes += piece.length;
    if (bytes > INPUT_BYTES_MAX) throw new EdgeError("USAGE", "Standard input is too large");
    chunks.push(piece);
  }
  return Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}

function typed(stdin: Keyboard, stderr: Sink, question: string): Promise<string> {
  // First: whoever answers at once must not see it either.
  stdin.setRawMode?.(true);
  stderr.write(question);
  return new Promise((resolve, reject) => {
    const characters: string[] = [];
    const finish = (settle: () => void): void => {
      stdin.removeListener("data", take);
      stdin.setRawMode?.(false);
      stdin.pause();
      stderr.write("\n");
      settle();
    };
    const take = (chunk: Buffer | string): void => {
      const text = chunk.toString();
      // An arrow or function key.
      if (text.startsWith("\u001b")) return;
      for (const character of text) {
        if (ENTER.has(character)) return finish(() => resolve(characters.join("")));
        if (character === INTERRUPT) {
          return finish(() => reject(new EdgeError("CANCELLED", "Nothing was changed")));
        }
        if (BACK.has(character)) characters.pop();
        else if (character >= " ") characters.push(character);
      }
    };
    stdin.on("data", take);
    stdin.resume();
  });
}
