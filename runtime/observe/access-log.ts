// One JSON line per request, in <data>/logs/access-<worker>.log. On the hot path of every request, so the line
// is put together by hand; bench/micro compares it with JSON.stringify.

import { openLineFile } from "./line-file.ts";

export interface AccessRecord {
  readonly requestId: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly status: number;
  readonly outcome: string;
  readonly endpoint: string;
  /** Whole microseconds: a fraction would cost more to print than all the rest. */
  readonly us: number;
  readonly bytes: number;
}

export interface AccessLog {
  write(record: AccessRecord): void;
  close(): void;
}

/** What JSON has to escape, and what is not ASCII: lines are written as Latin-1. Nearly no path has any of it. */
const ESCAPED = /["\\\u0000-\u001f\u007f-\uffff]/;
const BEYOND_ASCII = /[\u007f-\uffff]/g;

export function openAccessLog(path: string): AccessLog {
  const file = openLineFile(path, "latin1");
  let last = 0;
  let stamp = "";

  /** Requests of the same millisecond share one string. */
  function time(): string {
    const now = Date.now();
    if (now !== last) {
      last = now;
      stamp = new Date(now).toISOString();
    }
    return stamp;
  }

  return {
    write: (record) => file.write(accessLine(record, time())),
    close: () => file.close(),
  };
}

export function accessLine(record: AccessRecord, time: string): string {
  return (
    `{"time":"${time}","id":"${record.requestId}","method":"${record.method}",` +
    `"host":${quoted(record.host)},"path":${quoted(record.path)},"status":${record.status},` +
    `"outcome":"${record.outcome}","endpoint":"${record.endpoint}",` +
    `"us":${record.us},"bytes":${record.bytes}}\n`
  );
}

function quoted(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text).replace(BEYOND_ASCII, escaped) : `"${text}"`;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
