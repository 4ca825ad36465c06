// What this project has promised to be, checked against the numbers of this run.

import type { ColdResult } from "./load/cold.ts";
import type { CordonRow } from "./load/cordon.ts";
import type { PublishResultRow } from "./load/publishes.ts";
import type { Result, ScenarioResult } from "./load/rounds.ts";
import type { MicroResult } from "./micro/list.ts";

export interface Goal {
  readonly goal: string;
  readonly found: string;
  /** null: not measured in this run. */
  readonly met: boolean | null;
}

export interface Findings {
  readonly load: readonly ScenarioResult[];
  readonly cold: ColdResult | null;
  readonly publish: readonly PublishResultRow[];
  readonly cordon: readonly CordonRow[];
  readonly micro: readonly MicroResult[];
}

const INLINE = "islet inline";
const POOL = "islet pool";
const BARE = "bare uws";

/** How many of its calls one after the other cost what a hundred of them at once cost; each without its request. */
function together({ micro }: Findings, title: string, name: string): Goal {
  const goal = `${title} from a handler: 100 at once cost < 10 one after the other`;
  const task = micro.flatMap(({ tasks }) => tasks).find((each) => each.name === name);
  if (task?.atOnceNs === undefined) return { goal, found: "–", met: null };
  const calls = task.atOnceNs / task.medianNs;
  return { goal, found: `${calls.toFixed(1)} calls`, met: calls < 10 };
}

export function judge(findings: Findings): Goal[] {
  const at = (connections: number, contender: string, scenario = "hello"): Result | undefined =>
    findings.load
      .find((found) => found.scenario === scenario && found.connections === connections)
      ?.results.find((result) => result.contender === contender && result.error === undefined);
  const ratio = (
    goal: string,
    [a, b]: readonly [string, string],
    least: number,
    scenario = "hello",
  ): Goal => {
    const upper = at(32, a, scenario)?.perSecond.median;
    const lower = at(32, b, scenario)?.perSecond.median;
    const text = `${scenario}, 32 connections: ${goal}`;
    if (upper === undefined || lower === undefined) return { goal: text, found: "–", met: null };
    return { goal: text, found: `${(upper / lower).toFixed(2)} ×`, met: upper / lower >= least };
  };
  const below = (goal: string, value: number | undefined, unit: string, most: number): Goal =>
    value === undefined || !Number.isFinite(value)
      ? { goal, found: "–", met: null }
      : { goal, found: `${value.toFixed(unit === "ms" ? 1 : 0)} ${unit}`, met: value <= most };

  const inline1 = at(1, INLINE)?.p50Us.median;
  const bare1 = at(1, BARE)?.p50Us.median;
  const over = inline1 === undefined || bare1 === undefined ? undefined : inline1 - bare1;
  const cordon1 = findings.cordon.find(({ connections }) => connections === 1);
  const hono = findings.cold?.answers.find(({ app }) => app === "hono, apart");
  const cli = findings.publish.find(({ by }) => by === "command line");
  return [
    ratio("inline ≥ 0.6 × bare uWS", [INLINE, BARE], 0.6),
    ratio("inline ≥ 3.5 × workerd", [INLINE, "workerd"], 3.5),
    ratio("inline > Node's http", [INLINE, "node http"], 1),
    ratio("pool ≥ 0.5 × bare uWS", [POOL, BARE], 0.5),
    below("hello, 1 connection: inline p50 ≤ 25 µs over bare uWS", over, "µs", 25),
    below("hello, 1 connection: a cordon adds ≤ 300 µs p50", cordon1?.addedP50Us, "µs", 300),
    below("Hono app: publish to live ≤ 400 ms", cli?.totalMs.median, "ms", 400),
    below("Hono app: first answer of a fresh isolate ≤ 10 ms p50", hono?.firstMs.p50, "ms", 10),
    below("restart with all endpoints: ready ≤ 1000 ms", findings.cold?.restartMs, "ms", 1_000),
    ...["proxy, 1 KB", "proxy, 100 KB"].flatMap((scenario) => [
      ratio("≥ 0.5 × nginx", ["islet", "nginx"], 0.5, scenario),
      ratio("≥ 2.5 × fastify", ["islet", "fastify"], 2.5, scenario),
    ]),
    together(findings, "get of the embedded cache", "embedded: from a handler"),
    together(findings, "get of a Redis cache", "Redis: from a handler"),
  ];
}
