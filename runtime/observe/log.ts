// Log lines of a process and of the handlers in it, to standard error: human or JSON. Never blocks: lines are
// buffered, and dropped (with a count) when whoever reads them does not keep up.

import type { Json } from "../../sdk/errors.ts";
import { openLineFile } from "./line-file.ts";

export type Level = "debug" | "info" | "warn" | "error";

export interface LogFields {
  readonly [name: string]: Json | undefined;
}

export interface Log {
  write(level: Level, message: string, fields?: LogFields): void;
  flush(): void;
}

const STANDARD_ERROR = 2;

export function createLog(options: { format: "pretty" | "json"; tag: string }): Log {
  const file = openLineFile(STANDARD_ERROR, "utf8");
  const line = options.format === "json" ? jsonLine : prettyLine;
  return {
    write: (level, message, fields = {}) => file.write(line(options.tag, level, message, fields)),
    flush: () => file.close(),
  };
}

function jsonLine(tag: string, level: Level, message: string, fields: LogFields): string {
  return `${JSON.stringify({ time: new Date().toISOString(), level, from: tag, message, ...fields })}\n`;
}

function prettyLine(tag: string, level: Level, message: string, fields: LogFields): string {
  const time = new Date().toISOString().slice(11, 23);
  const extra = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join("");
  return `${time} ${level.padEnd(5)} ${tag}${extra}  ${message}\n`;
}
