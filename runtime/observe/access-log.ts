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
  readonly ms: number;
  readonly bytes: number;
}

export interface AccessLog {
  write(record: AccessRecord): void;
  close(): void;
}

/** What JSON has to escape; nearly no path has any of it. */
const ESCAPED = /["\\\u0000-\u001f\u007f-\uffff]/;

export function openAccessLog(path: string): AccessLog {
  const file = openLineFile(path);
  let second = 0;
  let stamp = "";

  function time(): string {
    const now = Date.now();
    const nowSecond = Math.floor(now / 1_000);
    if (nowSecond !== second) {
      second = nowSecond;
      stamp = new Date(nowSecond * 1_000).toISOString().slice(0, 20);
    }
    return `${stamp}${String(now % 1_000).padStart(3, "0")}Z`;
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
    `"ms":${record.ms.toFixed(2)},"bytes":${record.bytes}}\n`
  );
}

function quoted(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`;
}
