// Texts from the command line and from configuration files to values. Those that throw take or fix the code
// of the place: USAGE for a flag, MANIFEST_INVALID for a field of a file.

import { EdgeError } from "../sdk/errors.ts";
import type { Code, Json } from "../sdk/errors.ts";
import { isInRange, LIMITS, limitRange } from "../sdk/limits.ts";
import type { LimitInfo, LimitName, LimitOverrides } from "../sdk/limits.ts";

const DURATION_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const SIZE_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1_000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  KIB: 1_024,
  MIB: 1_048_576,
  GIB: 1_073_741_824,
};
const PORT_MAX = 65_535;

/** "250ms", "30s", "5m", "1h"; milliseconds. null when it is none. */
export function parseDuration(text: string): number | null {
  return scaled(/^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text), DURATION_MS);
}

/** "512B", "64KB", "10MiB"; a bare number is bytes. null when it is none. */
export function parseSize(text: string): number | null {
  if (/^\d+$/.test(text)) return safe(Number(text));
  return scaled(/^(\d+(?:\.\d+)?)\s*(B|[KMG]i?B)$/i.exec(text), SIZE_BYTES);
}

export function parseCount(text: string): number | null {
  return /^\d+$/.test(text) ? safe(Number(text)) : null;
}

export function parsePort(text: string, flag: string): number {
  const port = parseCount(text);
  if (port !== null && port <= PORT_MAX) return port;
  throw new EdgeError("USAGE", `${flag} is a port from 0 to ${PORT_MAX}, not "${text}"`);
}

/** "NAME=VALUE" at the first "="; the value may be empty. */
export function parsePair(text: string, flag: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new EdgeError("USAGE", `${flag} takes NAME=VALUE, not "${text}"`);
}

export function isLimitName(name: string): name is LimitName {
  return Object.hasOwn(LIMITS, name);
}

/** One limit's value, as number or as text with a unit. The code is that of the place it stands in. */
export function parseLimit(name: string, value: Json, code: Code): LimitOverrides {
  if (!isLimitName(name)) {
    const known = Object.keys(LIMITS).join(", ");
    throw new EdgeError(code, `There is no limit "${name}"; there are ${known}`);
  }
  const info: LimitInfo = LIMITS[name];
  const number = typeof value === "string" ? limitNumber(value, info.unit) : value;
  if (typeof number !== "number" || !isInRange(name, number)) {
    throw new EdgeError(code, `${name} is ${limitRange(name)}, not ${JSON.stringify(value)}`);
  }
  return { [name]: number };
}

/** `--limit NAME=VALUE` several times. */
export function parseLimitFlags(texts: readonly string[], flag: string): LimitOverrides {
  let limits: LimitOverrides = {};
  for (const text of texts) {
    const [name, value] = parsePair(text, flag);
    limits = { ...limits, ...parseLimit(name, value, "USAGE") };
  }
  return limits;
}

function limitNumber(text: string, unit: LimitInfo["unit"]): number | null {
  const count = parseCount(text);
  if (count !== null || unit === "count") return count;
  if (unit === "ms") return parseDuration(text);
  const bytes = parseSize(text);
  if (unit === "bytes" || bytes === null) return bytes;
  // A heap is counted in MiB, whichever of the two people write.
  return Math.floor(bytes / (/i/i.test(text) ? 1_048_576 : 1_000_000));
}

function scaled(
  match: RegExpExecArray | null,
  units: Readonly<Record<string, number>>,
): number | null {
  const [, digits, unit] = match ?? [];
  if (digits === undefined || unit === undefined) return null;
  const factor = units[unit] ?? units[unit.toUpperCase()];
  return factor === undefined ? null : safe(Math.round(Number(digits) * factor));
}

function safe(value: number): number | null {
  return Number.isSafeInteger(value) ? value : null;
}
