// One JSON line per request, in <data>/logs/access-<worker>.log. On the hot path of every request, so the line
// is put together by hand; bench/micro compares it with JSON.stringify. Bounded: at FILE_BYTES_MAX the file is
// renamed to .1 and begun anew.

import { renameSync } from "node:fs";
import { SonicBoom } from "sonic-boom";

export interface AccessRecord {
  readonly requestId: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly status: number;
  readonly outcome: string;
  readonly endpoint: string;
  readonly ms: number;
  readonly bytes: number;
}

export interface AccessLog {
  write(record: AccessRecord): void;
  close(): void;
}

/** Two of these per worker at most. */
export const FILE_BYTES_MAX: number = 64 * 1024 * 1024;
/** Written in blocks: a system call per line would cost more than the request. */
const BLOCK_BYTES = 64 * 1024;
/** Lines reach the file at the latest after this. */
const FLUSH_MS = 500;
const BUFFER_BYTES_MAX = 8 * 1024 * 1024;
/** What JSON has to escape; nearly no path has any of it. */
const ESCAPED = /["\\\u0000-\u001f\u007f-\uffff]/;

export function openAccessLog(file: string): AccessLog {
  let sink = open(file);
  let bytes = 0;
  let second = 0;
  let stamp = "";
  const timer = setInterval(() => sink.flush(), FLUSH_MS);
  timer.unref();

  function time(): string {
    const now = Date.now();
    const nowSecond = Math.floor(now / 1_000);
    if (nowSecond !== second) {
      second = nowSecond;
      stamp = new Date(nowSecond * 1_000).toISOString().slice(0, 20);
    }
    return `${stamp}${String(now % 1_000).padStart(3, "0")}Z`;
  }

  function rotate(): void {
    sink.end();
    try {
      renameSync(file, `${file}.1`);
    } catch {
      // Somebody moved the file away; a new one is begun either way.
    }
    sink = open(file);
    bytes = 0;
  }

  return {
    write(record) {
      const line = accessLine(record, time());
      bytes += line.length;
      sink.write(line);
      if (bytes >= FILE_BYTES_MAX) rotate();
    },
    close() {
      clearInterval(timer);
      sink.flushSync();
    },
  };
}

export function accessLine(record: AccessRecord, time: string): string {
  return (
    `{"time":"${time}","id":"${record.requestId}","method":"${record.method}",` +
    `"host":${quoted(record.host)},"path":${quoted(record.path)},"status":${record.status},` +
    `"outcome":"${record.outcome}","endpoint":"${record.endpoint}",` +
    `"ms":${record.ms.toFixed(2)},"bytes":${record.bytes}}\n`
  );
}

function quoted(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`;
}

function open(file: string): SonicBoom {
  const sink = new SonicBoom({
    dest: file,
    sync: false,
    minLength: BLOCK_BYTES,
    maxLength: BUFFER_BYTES_MAX,
    mode: 0o600,
  });
  // A full disk loses log lines, not requests.
  sink.on("error", () => {});
  return sink;
}
