// What is wrong with an author's source, as places (data, for tools) and as text with the line in question
// (for people). Lines and columns count from 1; columns in UTF-16 units, as editors do.

import { EdgeError } from "../sdk/errors.ts";
import type { Code } from "../sdk/errors.ts";
import { diagnosticsDetail } from "../sdk/publish.ts";
import type { Diagnostic } from "../sdk/publish.ts";

/** A diagnostic with the text to show below it. */
export interface Finding {
  readonly diagnostic: Diagnostic;
  /** The source line, or "" when there is none to show. */
  readonly lineText: string;
  readonly length: number;
}

/** The shape of esbuild's messages, as far as it is used here. */
interface BuildMessage {
  readonly text: string;
  readonly location: {
    readonly file: string;
    readonly line: number;
    /** From 0, in bytes of UTF-8. */
    readonly column: number;
    readonly length: number;
    readonly lineText: string;
  } | null;
}

/** More findings than this help nobody and would bloat the answer. */
const FINDINGS_MAX = 20;
/** A minified line is not worth showing whole. */
const LINE_CHARS_MAX = 160;

export function findingOf(message: BuildMessage, severity: Diagnostic["severity"]): Finding {
  const { text, location } = message;
  if (location === null) {
    return {
      diagnostic: { file: "", line: 0, column: 0, text, severity },
      lineText: "",
      length: 0,
    };
  }
  const { file, line, lineText, length } = location;
  const column = Buffer.from(lineText).subarray(0, location.column).toString().length + 1;
  return { diagnostic: { file, line, column, text, severity }, lineText, length };
}

/** An EdgeError whose message is for people and whose detail is for tools. */
export function diagnosticsError(
  code: Code,
  findings: readonly Finding[],
  cause?: unknown,
): EdgeError {
  const shown = findings.slice(0, FINDINGS_MAX);
  const left = findings.length - shown.length;
  const text = shown.map(findingText).join("\n\n") + (left > 0 ? `\n\n… and ${left} more` : "");
  return new EdgeError(code, text, {
    detail: diagnosticsDetail(shown.map((finding) => finding.diagnostic)),
    cause,
  });
}

function findingText({ diagnostic, lineText, length }: Finding): string {
  const { file, line, column, text } = diagnostic;
  if (file === "") return text;
  const head = `${file}:${line}:${column}: ${text}`;
  if (lineText.trim() === "" || lineText.length > LINE_CHARS_MAX) return head;
  const gutter = `  ${line} | `;
  const marks = "^".repeat(Math.max(1, Math.min(length, lineText.length - column + 1)));
  const pad = lineText.slice(0, column - 1).replace(/[^\t]/g, " ");
  return `${head}\n${gutter}${lineText}\n${" ".repeat(gutter.length - 2)}| ${pad}${marks}`;
}
