// Which isolates of a worker go when nobody needs them: those that nobody asked for long, and beyond the budget
// the least recently used. Pure: time is an argument.

/** An endpoint that was not asked for so long pays a few milliseconds at its next request, as elsewhere. */
export const IDLE_MS_MAX: number = 15 * 60_000;
/**
 * What an isolate takes beside what is counted of its heap: the snapshot it was made from (1 MB), pages that are
 * not full, compiled code. Measured: 3.7 MB of resident memory where 1.9 MB were counted.
 */
export const ISOLATE_BASE_BYTES: number = 2 * 1024 * 1024;
/** Letting go of one holds the accepting thread for about half a millisecond. */
export const EVICTIONS_MAX = 8;

export type EvictReason = "idle" | "memory";

export interface Tenant {
  readonly bytes: number;
  readonly lastUsedMs: number;
  /** Nothing is open in it and nothing under way. */
  readonly rests: boolean;
}

export interface Eviction<T> {
  readonly tenant: T;
  readonly reason: EvictReason;
}

/** `otherBytes`: of isolates that are not to choose from. */
export function evictions<T extends Tenant>(
  tenants: readonly T[],
  { nowMs, otherBytes, budgetBytes }: { nowMs: number; otherBytes: number; budgetBytes: number },
): Eviction<T>[] {
  let bytes = tenants.reduce((sum, tenant) => sum + tenant.bytes, otherBytes);
  const chosen: Eviction<T>[] = [];
  const resting = tenants.filter(({ rests }) => rests);
  for (const tenant of resting.toSorted((a, b) => a.lastUsedMs - b.lastUsedMs)) {
    const isIdle = nowMs - tenant.lastUsedMs >= IDLE_MS_MAX;
    if ((!isIdle && bytes <= budgetBytes) || chosen.length === EVICTIONS_MAX) break;
    chosen.push({ tenant, reason: isIdle ? "idle" : "memory" });
    bytes -= tenant.bytes;
  }
  return chosen;
}
