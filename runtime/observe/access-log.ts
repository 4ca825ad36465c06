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
  /** "": nobody in particular. */
  readonly consumer: string;
  /** Whole microseconds: a fraction would cost more to print than all the rest. */
  readonly us: number;
  readonly bytes: number;
}

export interface AccessLog {
  /** `nowMs`: performance.now(), which the caller has at hand; the wall clock is read once a millisecond. */
  write(record: AccessRecord, nowMs: number): void;
  close(): void;
}

/** What JSON has to escape, and what is not ASCII: lines are written as Latin-1. Nearly no path has any of it. */
const ESCAPED = /["\\\u0000-\u001f\u007f-\uffff]/;
const BEYOND_ASCII = /[\u007f-\uffff]/g;

export function openAccessLog(path: string): AccessLog {
  const file = openLineFile(path, "latin1");
  const line = createAccessLine();
  let stampedMs = Number.NEGATIVE_INFINITY;
  let stamp = "";
  return {
    write(record, nowMs) {
      if (nowMs - stampedMs >= 1) {
        stampedMs = nowMs;
        stamp = new Date().toISOString();
      }
      file.write(line(record, stamp));
    },
    close: () => file.close(),
  };
}

/** Most lines differ from the one before in time, id and figures only: what lies between is kept. */
export function createAccessLine(): (record: AccessRecord, time: string) => string {
  let last: AccessRecord | null = null;
  let middle = "";
  return (record, time) => {
    if (last === null || !isAlike(last, record)) {
      last = record;
      middle = middleOf(record);
    }
    return `{"time":"${time}","id":"${record.requestId}${middle}${record.us},"bytes":${record.bytes}}\n`;
  };
}

function isAlike(a: AccessRecord, b: AccessRecord): boolean {
  return (
    a.path === b.path &&
    a.status === b.status &&
    a.host === b.host &&
    a.method === b.method &&
    a.outcome === b.outcome &&
    a.endpoint === b.endpoint &&
    a.consumer === b.consumer
  );
}

function middleOf(record: AccessRecord): string {
  const { method, host, path, status, outcome, endpoint, consumer } = record;
  // Joined, not added up: one flat string is copied quicker than a tree of pieces.
  return [
    `","method":"${method}","host":${quoted(host)},"path":${quoted(path)},"status":${status}`,
    `,"outcome":"${outcome}","endpoint":"${endpoint}"`,
    consumer === "" ? `,"us":` : `,"consumer":"${consumer}","us":`,
  ].join("");
}

function quoted(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text).replace(BEYOND_ASCII, escaped) : `"${text}"`;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
