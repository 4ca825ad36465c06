// One JSON line per request, in <data>/logs/access-<worker>.log. On the hot path of every request, so the line
// is put together by hand; bench/micro compares it with JSON.stringify.

import type { Exchange } from "../../sdk/exchange.ts";
import type { AccessLogConfig } from "../../sdk/gateway/config.ts";
import { createConfiguredLine, type AccessLine } from "./access-lines.ts";
import { openLineFile } from "./line-file.ts";
import { quoted } from "./quoted.ts";

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
  write(record: AccessRecord, nowMs: number, exchange: Exchange): void;
  /** From now on. `address`: the client's. */
  configure(config: AccessLogConfig, address: (exchange: Exchange) => string): void;
  /** Peers are not known any more when a request has ended: they have to be asked for before. */
  readonly wantsAddress: boolean;
  close(): void;
}

export function openAccessLog(path: string, random: () => number = Math.random): AccessLog {
  const file = openLineFile(path, "latin1");
  const plain = createAccessLine();
  let configured: AccessLine | null = null;
  let clientOf: (exchange: Exchange) => string = () => "";
  let share = 1;
  let stampedMs = Number.NEGATIVE_INFINITY;
  let stamp = "";
  return {
    get wantsAddress() {
      return configured !== null;
    },
    configure(config, address) {
      share = config.share;
      clientOf = address;
      const isPlain = config.format === "json" && config.fields.length === 0;
      configured = isPlain ? null : createConfiguredLine(config);
    },
    write(record, nowMs, exchange) {
      if (share < 1 && record.outcome === "ok" && record.status < 500 && random() >= share) return;
      if (nowMs - stampedMs >= 1) {
        stampedMs = nowMs;
        stamp = new Date().toISOString();
      }
      file.write(
        configured === null
          ? plain(record, stamp)
          : configured(record, stamp, {
              address: clientOf(exchange),
              header: (name) => exchange.header(name),
            }),
      );
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
