// Which properties a result breaks, and the table of all results.

import { WITHIN_MS, type Attack, type Property, type Verdict } from "./attack.ts";
import { LEFT_BYTES_MAX, type Result } from "./range.ts";

const MB = 1e6;

export interface Bounds {
  /** The neighbour's longest silence while no worker is lost … */
  readonly gapMs: number;
  /** … where code of one's own may hold the accepting thread for its CPU limit, and several one after the other … */
  readonly heldMs: number;
  /** … while one is replaced, which drains: a standby serves already … */
  readonly replacedMs: number;
  /** … and while one is found silent, killed and replaced, which only code of one's own can bring about. */
  readonly silentMs: number;
}

/** On a machine that does nothing else. */
export const QUIET: Bounds = { gapMs: 250, heldMs: 1_500, replacedMs: 1_500, silentMs: 8_000 };
/** Other tests run on the same two cores. */
export const SHARED: Bounds = { gapMs: 1_000, heldMs: 3_000, replacedMs: 3_000, silentMs: 10_000 };

/** A bomb may overshoot its limit before it is caught, but not by an order of magnitude. */
const PEAK_BYTES_MAX: number = 400 * MB;

/** With more of the machine in others' hands, a gap says nothing. */
export const OTHERS_MAX = 0.2;
/** What they took is no time of the node's: an attack takes so much longer, up to ten times. */
const TAKEN_MAX = 0.9;

/** What the probe's own thread was late is not the node's. */
export function gapOf({ stretch }: Pick<Result, "stretch">): number {
  return stretch.gapMs - stretch.lateMs;
}

export function brokenProperties(result: Result, bounds: Bounds): Property[] {
  const { attack, stretch, verdicts, trust } = result;
  if (verdicts === null) return ["published"];
  const mayDie = attack.mayCostWorker !== undefined;
  const [calmMax, lostMax] =
    trust === "own" ? [bounds.heldMs, bounds.silentMs] : [bounds.gapMs, bounds.replacedMs];
  const gapMax = mayDie ? lostMax : calmMax;
  const broken: Property[] = [];
  if (!verdicts.every((one) => isExpected(one, result))) broken.push("verdict");
  if (attack.reply !== undefined && !isLike(result.reply, attack.reply)) broken.push("reply");
  const ownMs = result.ms * (1 - Math.min(result.others, TAKEN_MAX));
  if (ownMs > (attack.withinMs ?? WITHIN_MS) + gapMax) broken.push("time");
  if (gapOf(result) > gapMax && result.others <= OTHERS_MAX) broken.push("gap");
  if (stretch.wrong > 0 && !mayDie) broken.push("neighbour");
  if (!result.recovered) broken.push("recovery");
  if (result.lost > 0 && !mayDie) broken.push("worker");
  // A worker that has just come has less than one that has worked.
  if (result.after - Math.max(result.before, result.level) > LEFT_BYTES_MAX) broken.push("memory");
  if (result.peak - result.before > PEAK_BYTES_MAX) broken.push("peak");
  return broken;
}

/** Faults beyond those that are known, and known ones that are none any more; empty when all is as it should be. */
export function complaints(result: Result, bounds: Bounds): string[] {
  const { attack, trust } = result;
  const broken = brokenProperties(result, bounds);
  const known = (attack.known ?? []).filter((one) => (one.trust ?? trust) === trust);
  const unknown = broken.filter((property) => !known.some((one) => one.property === property));
  const isJudged = (property: Property): boolean =>
    property !== "gap" || result.others <= OTHERS_MAX;
  const fixed = known.filter(
    (one) => one.sometimes !== true && isJudged(one.property) && !broken.includes(one.property),
  );
  return [
    ...unknown.map((property) => `${property} is broken: ${lineOf(result, broken)}`),
    ...fixed.map(({ property }) => `${property} holds now: delete it from "known"`),
  ];
}

function isExpected(verdict: Verdict, { attack }: Result): boolean {
  if (attack.expect.includes(verdict)) return true;
  // A loop is cut by the clock; whether it had used up its CPU time by then is the machine's to say.
  return (
    (verdict === "OVERLOADED" && attack.expect.includes("CPU_LIMIT")) ||
    (verdict === "closed 1012" && attack.expect.includes("closed 1011"))
  );
}

function isLike(text: string, expected: string | RegExp): boolean {
  return typeof expected === "string" ? text === expected : expected.test(text);
}

const WIDTHS = [58, 20, 7, 18, 7, 6, 6] as const;

export function heading(): string {
  return row(["attack", "verdict", "ms", "MB b/peak/after", "gap ms", "others", "lost"]) + "broken";
}

export function titleOf({ group, name }: Attack): string {
  return `${group}: ${name}`;
}

export function lineOf(result: Result, broken: readonly Property[]): string {
  const { attack, verdicts, ms, before, peak, after, lost, why } = result;
  const mb = [before, peak, after].map((bytes) => Math.round(bytes / MB)).join("/");
  return (
    row([
      titleOf(attack),
      verdicts?.join() ?? "not published",
      `${Math.round(ms)}`,
      mb,
      `${Math.round(gapOf(result))}`,
      `${Math.round(result.others * 100)}%`,
      `${lost}`,
    ]) +
    broken.join(" ") +
    why.map((text) => ` (${text})`).join("") +
    (broken.includes("reply") || verdicts === null ? ` (${result.reply.slice(0, 200)})` : "")
  );
}

function row(cells: readonly string[]): string {
  return cells.map((cell, at) => cell.slice(0, 58).padEnd(WIDTHS[at] ?? 0)).join(" ");
}
