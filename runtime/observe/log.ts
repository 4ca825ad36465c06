// Log lines of a process and of the handlers in it, to standard error: human or JSON. Never blocks: lines are
// buffered, and dropped (with a count) when whoever reads them does not keep up.

import { SonicBoom } from "sonic-boom";

export type Level = "debug" | "info" | "warn" | "error";

export interface LogFields {
  readonly [name: string]: string | number | boolean | undefined;
}

export interface Log {
  write(level: Level, message: string, fields?: LogFields): void;
  flush(): void;
}

/** Bytes that may wait for a slow reader before lines are dropped. */
const BUFFER_BYTES_MAX = 4 * 1024 * 1024;

export function createLog(options: { format: "pretty" | "json"; fd?: number; tag: string }): Log {
  const sink = new SonicBoom({ fd: options.fd ?? 2, sync: false, maxLength: BUFFER_BYTES_MAX });
  let dropped = 0;
  sink.on("drop", () => dropped++);
  // A closed terminal or pipe is no reason to stop serving.
  sink.on("error", () => {});
  const line = options.format === "json" ? jsonLine : prettyLine;
  return {
    write(level, message, fields = {}) {
      const lost = dropped;
      dropped = 0;
      sink.write(
        line(options.tag, level, message, lost > 0 ? { ...fields, dropped: lost } : fields),
      );
    },
    flush: () => sink.flush(),
  };
}

function jsonLine(tag: string, level: Level, message: string, fields: LogFields): string {
  return `${JSON.stringify({ time: new Date().toISOString(), level, from: tag, message, ...fields })}\n`;
}

function prettyLine(tag: string, level: Level, message: string, fields: LogFields): string {
  const time = new Date().toISOString().slice(11, 23);
  const extra = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${String(value)}`)
    .join("");
  return `${time} ${level.padEnd(5)} ${tag}${extra}  ${message}\n`;
}
