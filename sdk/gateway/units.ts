// Durations and sizes as people write them, on the command line and in configuration files.

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

/** "250ms", "30s", "5m", "1h"; milliseconds. null when it is none. */
export function parseDuration(text: string): number | null {
  return scaled(/^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text), DURATION_MS);
}

/** "512B", "64KB", "10MiB"; a bare number is bytes. null when it is none. */
export function parseSize(text: string): number | null {
  if (/^\d+$/.test(text)) return safeInteger(Number(text));
  return scaled(/^(\d+(?:\.\d+)?)\s*(B|[KMG]i?B)$/i.exec(text), SIZE_BYTES);
}

/** null beyond what a double counts exactly. */
export function safeInteger(value: number): number | null {
  return Number.isSafeInteger(value) ? value : null;
}

function scaled(
  match: RegExpExecArray | null,
  units: Readonly<Record<string, number>>,
): number | null {
  const [, digits, unit] = match ?? [];
  if (digits === undefined || unit === undefined) return null;
  const factor = units[unit] ?? units[unit.toUpperCase()];
  return factor === undefined ? null : safeInteger(Math.round(Number(digits) * factor));
}
