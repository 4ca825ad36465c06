export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Of at least one value, sorted ascending; the nearest rank. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1));
  return sorted[rank] ?? Number.NaN;
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  const upper = sorted[Math.ceil((sorted.length - 1) / 2)] ?? Number.NaN;
  return { median: (lower + upper) / 2, min: Math.min(...values), max: Math.max(...values) };
}

export function shuffled<T>(items: readonly T[]): T[] {
  const result = [...items];
  for (let left = result.length - 1; left > 0; left--) {
    const pick = Math.floor(Math.random() * (left + 1));
    const [a, b] = [result[left], result[pick]];
    if (a !== undefined && b !== undefined) [result[left], result[pick]] = [b, a];
  }
  return result;
}
