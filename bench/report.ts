// The tables on stdout. The JSON beside them has the same numbers and more.

import type { Goal } from "./goals.ts";
import type { ColdResult } from "./load/cold.ts";
import type { FairnessRow } from "./load/fairness.ts";
import type { CordonRow } from "./load/cordon.ts";
import type { PublishResultRow } from "./load/publishes.ts";
import type { ScenarioResult } from "./load/rounds.ts";
import type { StartResult } from "./load/starts.ts";
import type { Machine } from "./machine.ts";
import type { Spread } from "./statistics.ts";
import { grouped, megabytes, printTable, rounded } from "./table.ts";

const BASES: readonly string[] = ["bare uws", "workerd", "node http"];

export function printMachine(machine: Machine, generator: string): void {
  const { cores, cpu, memoryMb, system, kernel, node, v8, commit, changed, loadBefore } = machine;
  console.log(`${cores} cores, ${cpu}, ${memoryMb} MB, ${system}, kernel ${kernel}`);
  console.log(`Node ${node}, V8 ${v8}, commit ${commit}${changed ? " with changes" : ""}`);
  console.log(`load generator ${generator}; load average before: ${loadBefore.join(", ")}`);
}

export function printLoad(found: ScenarioResult, bases: readonly string[] = BASES): void {
  const { scenario, connections, rounds, seconds, idleCores } = found;
  const ratios = bases.map((name) => ({
    name,
    base: found.results.find(({ contender }) => contender === name)?.perSecond.median,
  }));
  const rows = found.results.map((result) => {
    if (result.error !== undefined)
      return [result.contender, `failed: ${result.error.slice(0, 60)}`];
    const { median, min, max } = result.perSecond;
    return [
      result.contender,
      grouped(median),
      `${grouped(min)}…${grouped(max)}`,
      ...ratios.map(({ base }) => (base === undefined ? "–" : rounded(median / base, 2))),
      rounded(result.p50Us.median),
      rounded(result.p99Us.median),
      rounded(result.cpuUs.median, 1),
      megabytes(result.memoryBytes),
    ];
  });
  const plural = connections === 1 ? "" : "s";
  printTable(
    `${scenario}, ${connections} connection${plural} (median of ${rounds} × ${seconds} s; ` +
      `all idle ones together used ${rounded(idleCores * 100, 1)} % of a core)`,
    [
      "",
      "req/s",
      "min…max",
      ...bases.map((name) => `× ${name}`),
      "p50 µs",
      "p99 µs",
      "CPU µs/req",
      "MB",
    ],
    rows,
  );
}

export function printCold(found: ColdResult): void {
  printTable(
    `First answer of a fresh isolate (${found.endpoints} endpoints, after a restart), ms`,
    ["app", "first p50", "first p99", "first max", "second p50", "second p99"],
    found.answers.map(({ app, firstMs, secondMs }) => [
      app,
      ...[firstMs.p50, firstMs.p99, firstMs.max].map((value) => rounded(value, 1)),
      ...[secondMs.p50, secondMs.p99].map((value) => rounded(value, 2)),
    ]),
  );
  const { before, after } = found.memoryBytes;
  console.log(
    `process start to ready with ${found.endpoints} endpoints: ${rounded(found.restartMs)} ms; ` +
      `memory ${megabytes(before)} MB, with all isolates loaded ${megabytes(after)} MB ` +
      `(${rounded((after - before) / found.endpoints / 1024)} KB each)`,
  );
}

export function printCordon(found: readonly CordonRow[]): void {
  printTable(
    "Hello in every worker and in a cordon, µs",
    [
      "connections",
      "shared p50",
      "dedicated p50",
      "added p50",
      "shared p99",
      "dedicated p99",
      "per s",
    ],
    found.map(({ connections, p50Us, p99Us, perSecond, addedP50Us }) => [
      `${connections}`,
      ...[p50Us.shared.median, p50Us.dedicated.median, addedP50Us].map((value) => rounded(value)),
      ...[p99Us.shared.median, p99Us.dedicated.median].map((value) => rounded(value)),
      `${rounded(perSecond.shared.median)} / ${rounded(perSecond.dedicated.median)}`,
    ]),
  );
}

export function printStarts(found: readonly StartResult[]): void {
  printTable(
    "Process start to first right answer, ms",
    ["", "median", "min…max"],
    found.map(({ contender, firstAnswerMs, error }) => [
      contender,
      error === undefined ? rounded(firstAnswerMs.median) : `failed: ${error.slice(0, 60)}`,
      error === undefined ? range(firstAnswerMs) : "",
    ]),
  );
}

export function printPublishes(found: readonly PublishResultRow[]): void {
  const stages = Object.keys(found[0]?.stagesMs ?? {});
  printTable(
    "Publish of the Hono app to live on all workers, ms (medians)",
    ["by", "publishes", "total", "min…max", ...stages, "as seen outside", "first answer"],
    found.map((row) => [
      row.by,
      `${row.publishes}`,
      rounded(row.totalMs.median),
      range(row.totalMs),
      ...stages.map((name) => rounded(row.stagesMs[name] ?? Number.NaN)),
      rounded(row.wallMs.median),
      rounded(row.firstAnswerMs.median, 1),
    ]),
  );
}

export function printFairness(found: readonly FairnessRow[]): void {
  printTable(
    "A good endpoint beside bad neighbours, 500 requests/s, ms",
    ["", "neighbours", "requests", "failed", "p50", "p99", "max", "p99 × alone"],
    found.map((row) => {
      const { contender, neighbours, requests, failed, p50Ms, p99Ms, maxMs } = row;
      const alone = found.find((one) => one.contender === contender && one.neighbours === "nobody");
      return [
        contender,
        neighbours,
        `${requests}`,
        `${failed}`,
        ...[p50Ms, p99Ms, maxMs].map((value) => rounded(value, 2)),
        rounded(p99Ms / (alone?.p99Ms ?? Number.NaN), 2),
      ];
    }),
  );
}

export function printGoals(goals: readonly Goal[]): void {
  const mark = (met: boolean | null): string => (met === null ? "not measured" : met ? "✔" : "✘");
  printTable(
    "Goals",
    ["", "found", ""],
    goals.map(({ goal, found, met }) => [goal, found, mark(met)]),
  );
}

function range({ min, max }: Spread): string {
  return `${rounded(min)}…${rounded(max)}`;
}
