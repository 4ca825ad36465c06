// `ctx.log`: lines with a level and fields of their own, which the node's log shows beside endpoint and request.

import { LOG_LINE_BYTES_MAX } from "../../../sdk/limits.ts";
import { exposeInterface } from "../interface.ts";
import { inspect } from "../inspect.ts";

/** Writes a line of the request: its fields as JSON ("" without), and its text. */
export type WriteLine = (level: string, fields: string, text: string) => void;

const stringify = JSON.stringify;
/** Of a line, so that its text has room beside them. */
const FIELDS_CHARS_MAX: number = LOG_LINE_BYTES_MAX / 2;

/** Never throws, whatever a toJSON or a getter of the author's does. */
function fieldsText(fields: unknown): string {
  if (typeof fields !== "object" || fields === null) return "";
  try {
    const text: unknown = stringify(fields);
    if (typeof text === "string" && text.length <= FIELDS_CHARS_MAX) return text;
  } catch {
    // As what is too long.
  }
  return '{"dropped":"fields that are too long, or no JSON"}';
}

function shown(message: unknown): string {
  try {
    return typeof message === "string" ? message : inspect(message);
  } catch {
    return "[unprintable]";
  }
}

export class Log {
  readonly #write: WriteLine;

  constructor(write: WriteLine) {
    this.#write = write;
  }

  debug(message: unknown, fields: unknown = undefined): void {
    this.#write("debug", fieldsText(fields), shown(message));
  }

  info(message: unknown, fields: unknown = undefined): void {
    this.#write("info", fieldsText(fields), shown(message));
  }

  warn(message: unknown, fields: unknown = undefined): void {
    this.#write("warn", fieldsText(fields), shown(message));
  }

  error(message: unknown, fields: unknown = undefined): void {
    this.#write("error", fieldsText(fields), shown(message));
  }
}

exposeInterface(Log, "Log");
