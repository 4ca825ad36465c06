// The straight line through what was measured, and how sure it is.

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Trend {
  readonly slope: number;
  /** Of the slope: the true one is within two of them, nineteen times out of twenty. */
  readonly standardError: number;
}

/** Least squares; null for fewer than three points, which any line fits. */
export function trendOf(points: readonly Point[]): Trend | null {
  if (points.length < 3) return null;
  const mean = (of: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const midX = mean(({ x }) => x);
  const midY = mean(({ y }) => y);
  const spread = mean(({ x }) => (x - midX) ** 2);
  const slope = mean(({ x, y }) => (x - midX) * (y - midY)) / spread;
  const residue = mean(({ x, y }) => (y - midY - slope * (x - midX)) ** 2);
  return { slope, standardError: Math.sqrt(residue / spread / (points.length - 2)) };
}
