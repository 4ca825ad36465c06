// What a request gets of a stored response: all of it, a part, or only that it has it already. Pure.

import { HeaderMap, isUnchanged, spanOf } from "../../sdk/text/http-caching.ts";

const OK = 200;
const PARTIAL_CONTENT = 206;
const NOT_MODIFIED = 304;
const RANGE_NOT_SATISFIABLE = 416;

/** As the store has it, beside its body. */
export interface Stored {
  readonly status: number;
  readonly statusText: string;
  readonly headers: string;
  readonly storedAtMs: number;
}

export interface Reply {
  readonly status: number;
  readonly statusText: string;
  readonly headers: string;
  /** Of the body, up to `to` without it. */
  readonly from: number;
  readonly to: number;
}

export function replyTo(
  request: HeaderMap,
  { status, statusText, headers: list, storedAtMs }: Stored,
  { size, nowMs }: { readonly size: number; readonly nowMs: number },
): Reply {
  const headers = new HeaderMap(list);
  const age = (Number(headers.get("age") ?? 0) || 0) + Math.max(0, nowMs - storedAtMs) / 1_000;
  const dropped = ["age", "cf-cache-status", "content-length", "content-range"];
  const kept = `${withoutHeaders(list, dropped)}age\n${Math.floor(age)}\ncf-cache-status\nHIT\n`;
  const whole = { status, statusText, from: 0, to: size };
  const full = { ...whole, headers: `${kept}content-length\n${size}\n` };
  // Conditions and parts are about what a request without them would get.
  if (status !== OK) return full;
  if (isUnchanged(headers, request)) {
    return { status: NOT_MODIFIED, statusText: "Not Modified", headers: kept, from: 0, to: 0 };
  }
  const span = spanOf(headers, request, size);
  if (span === null) return full;
  if (span === "none") {
    return {
      status: RANGE_NOT_SATISFIABLE,
      statusText: "Range Not Satisfiable",
      headers: `${kept}content-range\nbytes */${size}\ncontent-length\n0\n`,
      from: 0,
      to: 0,
    };
  }
  const { from, to } = span;
  const range = `content-range\nbytes ${from}-${to - 1}/${size}\ncontent-length\n${to - from}\n`;
  return {
    status: PARTIAL_CONTENT,
    statusText: "Partial Content",
    headers: `${kept}${range}`,
    from,
    to,
  };
}

export function withoutHeaders(packed: string, names: readonly string[]): string {
  const parts = packed.split("\n");
  let kept = "";
  for (let at = 0; at + 1 < parts.length; at += 2) {
    if (!names.includes(parts[at] ?? "")) kept += `${parts[at]}\n${parts[at + 1]}\n`;
  }
  return kept;
}
