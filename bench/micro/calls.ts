// Calls of services, one after the other and many at once: measuring them from a handler and from plain Node alike.

import { writeFileSync } from "node:fs";
import { quantile } from "../statistics.ts";
import { grouped, printTable, rounded } from "../table.ts";
import { SERIAL_FILE } from "./list.ts";

/** Within what a request may call. */
const CALLS = 40;
const AT_ONCE = 100;
const ROUNDS = 60;
const NS_PER_MS = 1e6;

export interface Figure {
  readonly name: string;
  readonly oneNs: number;
  readonly atOnceNs: number;
}

/** Of one call: the median of rounds, what the round costs without any taken away. */
export async function measure(
  name: string,
  run: (calls: number, atOnce: boolean) => Promise<void>,
): Promise<Figure> {
  const round = async (calls: number, atOnce: boolean): Promise<number> => {
    const started = performance.now();
    await run(calls, atOnce);
    return performance.now() - started;
  };
  const samples = { none: [] as number[], one: [] as number[], atOnce: [] as number[] };
  for (let turn = 0; turn < 2 * ROUNDS; turn++) {
    const [none, one, atOnce] = [
      await round(0, false),
      await round(CALLS, false),
      await round(AT_ONCE, true),
    ];
    // The first half warms up.
    if (turn < ROUNDS) continue;
    samples.none.push(none);
    samples.one.push(one);
    samples.atOnce.push(atOnce);
  }
  const none = quantile(samples.none, 0.5);
  return {
    name,
    oneNs: ((quantile(samples.one, 0.5) - none) / CALLS) * NS_PER_MS,
    atOnceNs: (quantile(samples.atOnce, 0.5) - none) * NS_PER_MS,
  };
}

export async function repeat(calls: number, atOnce: boolean, ask: () => unknown): Promise<void> {
  if (atOnce) await Promise.all(Array.from({ length: calls }, ask));
  else for (let call = 0; call < calls; call++) await ask();
}

export function printFigures(what: string, figures: readonly Figure[]): void {
  printTable(
    `${what}, one after the other and ${AT_ONCE} at once`,
    ["", "one µs", "100 at once µs", "of 100 × one"],
    figures.map(({ name, oneNs, atOnceNs }) => [
      name,
      rounded(oneNs / 1_000, 1),
      grouped(atOnceNs / 1_000),
      rounded(atOnceNs / (AT_ONCE * oneNs), 2),
    ]),
  );
  const file = process.env[SERIAL_FILE];
  if (file !== undefined) {
    const rows = figures.map(({ name, oneNs, atOnceNs }) => ({
      name,
      medianNs: oneNs,
      atOnceNs,
      p99Ns: 0,
      meanNs: oneNs,
      samples: ROUNDS,
    }));
    writeFileSync(file, JSON.stringify(rows));
  }
}
