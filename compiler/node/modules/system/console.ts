// node:console: the platform's, which logs. There are no streams to write to.

type Name =
  "assert" | "count" | "countReset" | "debug" | "dir" | "error" | "group" | "groupEnd" | "info" | "log" | "table" |
  "time" | "timeEnd" | "timeLog" | "trace" | "warn"; // prettier-ignore
type Method = (this: void, ...args: unknown[]) => void;

const platform = globalThis.console as unknown as Readonly<Record<Name, Method>>;

/** What it is given to write to is not looked at. */
export function Console(): object {
  return platform;
}

export const assert: Method = platform.assert;
export const count: Method = platform.count;
export const countReset: Method = platform.countReset;
export const debug: Method = platform.debug;
export const dir: Method = platform.dir;
export const error: Method = platform.error;
export const group: Method = platform.group;
export const groupEnd: Method = platform.groupEnd;
export const info: Method = platform.info;
export const log: Method = platform.log;
export const table: Method = platform.table;
export const time: Method = platform.time;
export const timeEnd: Method = platform.timeEnd;
export const timeLog: Method = platform.timeLog;
export const trace: Method = platform.trace;
export const warn: Method = platform.warn;
