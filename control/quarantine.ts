// Which versions may not run because they brought down workers. Kept in the endpoint's record, so that it is part of
// the change log and survives every restart; workers and admin API read it by the same functions. Pure.

import type { EndpointRecord, Quarantine, Strike, VersionId } from "../sdk/records.ts";
import { timestamp } from "./clock.ts";

/** Once is bad luck, twice may be a coincidence; each costs the requests that were open on a worker. */
export const STRIKES_MAX = 3;
/** A version that brings down a worker less often than three times an hour costs less than the alarm. */
export const STRIKE_WINDOW_MS = 3_600_000;
/** As many as there are versions; older ones cannot be deployed any more. */
const QUARANTINED_MAX = 50;

/** null: it may run. */
export function quarantineOf(
  { quarantined = [] }: EndpointRecord,
  version: VersionId | undefined,
): Quarantine | null {
  return quarantined.find((one) => one.version === version) ?? null;
}

/** Strikes of this version that still count. */
export function strikesOf(
  { strikes = [] }: EndpointRecord,
  version: VersionId | undefined,
  nowMs: number,
): readonly Strike[] {
  return strikes.filter((one) => one.version === version && isRecent(one, nowMs));
}

/** The record after one more death; with the last one that is allowed the version is quarantined. */
export function strike(
  record: EndpointRecord,
  { version, reason }: Pick<Strike, "version" | "reason">,
  nowMs: number,
): EndpointRecord {
  if (quarantineOf(record, version) !== null) return record;
  const at = timestamp({ now: () => nowMs });
  const all = [...(record.strikes ?? []), { version, reason, at }];
  const strikes = all.filter((one) => isRecent(one, nowMs));
  const own = strikes.filter((one) => one.version === version);
  if (own.length < STRIKES_MAX) return { ...record, strikes };
  const others = record.quarantined ?? [];
  return {
    ...record,
    strikes: strikes.filter((one) => one.version !== version),
    quarantined: [...others, { version, since: at, strikes: own }].slice(-QUARANTINED_MAX),
  };
}

/** The record without anything against this version. */
export function release(record: EndpointRecord, version: VersionId | undefined): EndpointRecord {
  const { strikes = [], quarantined = [], ...rest } = record;
  const kept = strikes.filter((one) => one.version !== version);
  const others = quarantined.filter((one) => one.version !== version);
  return {
    ...rest,
    ...(kept.length === 0 ? {} : { strikes: kept }),
    ...(others.length === 0 ? {} : { quarantined: others }),
  };
}

function isRecent({ at }: Strike, nowMs: number): boolean {
  return nowMs - Date.parse(at) < STRIKE_WINDOW_MS;
}
