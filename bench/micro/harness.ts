// One way to run and print a tinybench suite. The first task is the floor of the others.

import { writeFileSync } from "node:fs";
import { Bench } from "tinybench";
import { grouped, printTable, rounded } from "../table.ts";
import { SERIAL_FILE } from "./list.ts";

const TIME_MS = 250;
const WARM_MS = 80;
const NS_PER_MS = 1e6;
/** Calls per sample: the clock costs as much as what is measured here. */
const REPEAT = 64;

export interface Task {
  readonly name: string;
  readonly run: () => unknown;
  /** Work units in one call of `run`, when it does several. */
  readonly units?: number;
}

/** Runs the tasks one after the other; the last thing a bench file does. */
export async function runTasks(title: string, tasks: readonly Task[]): Promise<void> {
  const bench = new Bench({ time: TIME_MS, warmupTime: WARM_MS });
  for (const { name, run } of tasks) {
    bench.add(name, () => {
      for (let call = 0; call < REPEAT; call++) run();
    });
  }
  await bench.run();
  const rows = tasks.map(({ name, units = 1 }) => {
    const result = bench.getTask(name)?.result;
    if (result === undefined || !("latency" in result)) {
      throw new Error(`${name} did not finish: ${JSON.stringify(result)}`);
    }
    const scale = NS_PER_MS / REPEAT / units;
    const { p50, p99, samplesCount } = result.latency;
    return {
      name,
      medianNs: p50 * scale,
      p99Ns: p99 * scale,
      meanNs: result.latency.mean * scale,
      samples: samplesCount,
    };
  });
  const floor = rows[0]?.medianNs ?? Number.NaN;
  printTable(
    title,
    ["", "p50 ns", "mean ns", "p99 ns", "× first", "samples"],
    rows.map((row) => [
      row.name,
      grouped(row.medianNs),
      grouped(row.meanNs),
      grouped(row.p99Ns),
      rounded(row.medianNs / floor, 1),
      grouped(row.samples),
    ]),
  );
  const file = process.env[SERIAL_FILE];
  if (file !== undefined) writeFileSync(file, JSON.stringify(rows));
}
