// "Did you mean": the nearest of the names that exist, when it is near enough to be what was meant.

/** A third of a name's letters may be wrong: more, and it is another word. */
const WRONG_SHARE_MAX = 1 / 3;

/** null: none is near. */
export function nearest(name: string, names: readonly string[]): string | null {
  const wanted = plain(name);
  let best: string | null = null;
  let bestWrong = Number.POSITIVE_INFINITY;
  for (const candidate of names) {
    const wrong = distance(wanted, plain(candidate));
    if (wrong < bestWrong) [best, bestWrong] = [candidate, wrong];
  }
  return bestWrong <= Math.max(1, Math.floor(wanted.length * WRONG_SHARE_MAX)) ? best : null;
}

/** rate_limit, rate-limit and rateLimit are one word. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}

/** Damerau-Levenshtein, without overlapping swaps. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(at(rows, i - 1, j) + 1, (row[j - 1] ?? 0) + 1);
      least = Math.min(least, at(rows, i - 1, j - 1) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, at(rows, i - 2, j - 2) + 1);
      }
      row.push(least);
    }
    rows.push(row);
  }
  return at(rows, a.length, b.length);
}

function at(rows: readonly (readonly number[])[], i: number, j: number): number {
  return rows[i]?.[j] ?? 0;
}
