// Lines of the access log as the configuration wants them, where it is not what access-log.ts writes by itself: chosen
// fields as JSON or logfmt, or the combined format of other servers. All of it is ASCII.

import type { AccessField, AccessLogConfig } from "../../sdk/gateway/config.ts";
import type { AccessRecord } from "./access-log.ts";
import { quoted } from "./quoted.ts";

/** What only the request itself tells. */
export interface AccessSource {
  /** Of the client, behind proxies that are trusted. */
  readonly address: string;
  header(name: string): string | undefined;
}

export type AccessLine = (record: AccessRecord, time: string, source: AccessSource) => string;

type Value = (record: AccessRecord, time: string, source: AccessSource) => string | number;

const VALUES: Readonly<Record<AccessField, Value>> = {
  time: (_record, time) => time,
  id: ({ requestId }) => requestId,
  address: (_record, _time, { address }) => address,
  method: ({ method }) => method,
  host: ({ host }) => host,
  path: ({ path }) => path,
  status: ({ status }) => status,
  outcome: ({ outcome }) => outcome,
  endpoint: ({ endpoint }) => endpoint,
  consumer: ({ consumer }) => consumer,
  us: ({ us }) => us,
  bytes: ({ bytes }) => bytes,
  userAgent: (_record, _time, source) => source.header("user-agent") ?? "",
  referer: (_record, _time, source) => source.header("referer") ?? "",
};
/** Needs no quotes in logfmt. */
const BARE = /^[!#-<>-[\]-~]+$/;
const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";

export function createConfiguredLine({ format, fields }: AccessLogConfig): AccessLine {
  if (format === "combined") return combinedLine;
  const values = fields.map((field) => [field, VALUES[field]] as const);
  if (format === "json") {
    return (record, time, source) => {
      const parts = values.map(
        ([name, value]) => `"${name}":${jsonOf(value(record, time, source))}`,
      );
      return `{${parts.join(",")}}\n`;
    };
  }
  return (record, time, source) => {
    const parts: string[] = [];
    for (const [name, value] of values) {
      const said = value(record, time, source);
      if (said === "") continue;
      parts.push(`${name}=${typeof said === "string" && BARE.test(said) ? said : jsonOf(said)}`);
    }
    return `${parts.join(" ")}\n`;
  };
}

function jsonOf(value: string | number): string {
  return typeof value === "number" ? String(value) : quoted(value);
}

/** As Apache and nginx have it. The protocol's version is not known here; readers want to see one. */
function combinedLine(record: AccessRecord, time: string, source: AccessSource): string {
  const { method, path, status, bytes, consumer } = record;
  const month = MONTHS.slice(Number(time.slice(5, 7)) * 3 - 3, Number(time.slice(5, 7)) * 3);
  const date = `${time.slice(8, 10)}/${month}/${time.slice(0, 4)}:${time.slice(11, 19)} +0000`;
  const agent = escaped(source.header("user-agent") ?? "");
  return (
    `${source.address || "-"} - ${escaped(consumer)} [${date}] "${escaped(`${method} ${path}`)} HTTP/1.1" ` +
    `${status} ${bytes} "${escaped(source.header("referer") ?? "")}" "${agent}"\n`
  );
}

/** What could end a field, or a line, as the bytes that it is. */
function escaped(text: string): string {
  if (text === "") return "-";
  return text.replace(/["\\]|[^ -~]+/g, (found) =>
    Array.from(Buffer.from(found), (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join(""),
  );
}
