// Texts from the command line and from configuration files to values. Those that throw take or fix the code
// of the place: USAGE for a flag, MANIFEST_INVALID for a field of a file.

import { EdgeError } from "../sdk/errors.ts";
import type { Code, Json } from "../sdk/errors.ts";
import { isInRange, LIMITS, limitRange } from "../sdk/limits.ts";
import type { LimitInfo, LimitName, LimitOverrides } from "../sdk/limits.ts";
import { parseDuration, parseSize, safeInteger } from "../sdk/gateway/units.ts";

const PORT_MAX = 65_535;

export function parseCount(text: string): number | null {
  return /^\d+$/.test(text) ? safeInteger(Number(text)) : null;
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
