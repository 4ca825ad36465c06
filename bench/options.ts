// What to run and for how long. Everything that differs between a full and a quick run stands here.

import { parseArgs } from "node:util";

export const SCENARIOS = [
  "hello",
  "echo",
  "hono",
  "endpoints",
  "proxy",
  "cold",
  "cordon",
  "start",
  "publish",
  "fairness",
  "micro",
] as const;
export type ScenarioName = (typeof SCENARIOS)[number];

export interface Plan {
  readonly name: string;
  readonly scenarios: ReadonlySet<ScenarioName>;
  /** Only these contenders, all when empty. */
  readonly contenders: readonly string[];
  readonly peers: boolean;
  readonly quick: boolean;
  readonly rounds: number;
  /** Of one measurement that a goal hangs on, and of any other. */
  readonly goalSeconds: number;
  readonly seconds: number;
  readonly warmSeconds: number;
  /** Endpoints of the scenarios endpoints and cold. */
  readonly endpoints: number;
  readonly starts: number;
  readonly fairnessRounds: number;
  /** Of good requests beside each kind of neighbours, in each round. */
  readonly fairnessSeconds: number;
  readonly publishes: number;
}

export const USAGE: string = [
  "npm run bench -- [--quick] [--only SCENARIO]... [--contender NAME]... [--no-peers] [--name NAME]",
  `  scenarios: ${SCENARIOS.join(", ")}; --quick leaves echo out unless it is asked for`,
].join("\n");

/** Throws a message for people. */
export function readPlan(args: readonly string[]): Plan {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      contender: { type: "string", multiple: true, default: [] },
      "no-peers": { type: "boolean", default: false },
      name: { type: "string" },
    },
  });
  const { quick } = values;
  const only = values.only.map((name) => {
    const known = SCENARIOS.find((scenario) => scenario === name);
    if (known === undefined) throw new Error(`no scenario "${name}": ${SCENARIOS.join(", ")}`);
    return known;
  });
  const name = values.name ?? new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  if (!/^[\w.-]+$/.test(name)) throw new Error(`--name is a file's name, not "${name}"`);
  return {
    name,
    scenarios: new Set(
      only.length > 0 ? only : SCENARIOS.filter((each) => !quick || each !== "echo"),
    ),
    contenders: values.contender,
    peers: !values["no-peers"],
    quick,
    rounds: quick ? 2 : 5,
    goalSeconds: quick ? 1 : 2,
    seconds: 1,
    warmSeconds: quick ? 1 : 2,
    endpoints: quick ? 20 : 200,
    starts: quick ? 2 : 5,
    fairnessRounds: quick ? 1 : 3,
    fairnessSeconds: quick ? 3 : 5,
    publishes: quick ? 3 : 10,
  };
}
