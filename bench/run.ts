// `npm run bench`: everything that can be measured about a node from outside, side by side with bare
// uWebSockets.js and the peers, on this machine, in one run. docs/bench.md says how to read it.
//
// Rules: an answer is verified before it is measured; every figure has a floor beside it; contenders take
// turns in shuffled rounds; a contender that fails is shown as failed, with its reason, and stops nobody else.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stopEsbuild } from "../compiler/bundle.ts";
import { judge } from "./goals.ts";
import { ECHO, HELLO, HONO, jsonOf } from "./load/apps.ts";
import type { App, Call } from "./load/apps.ts";
import { manyEndpoints, measureCold } from "./load/cold.ts";
import type { Contender, Server } from "./load/contender.ts";
import { BURNERS, calibrate, isletStreet, measureFairness } from "./load/fairness.ts";
import type { StreetContender } from "./load/fairness.ts";
import { findGenerator } from "./load/generator.ts";
import type { Generator } from "./load/generator.ts";
import { measureCordon } from "./load/cordon.ts";
import { isletContender } from "./load/islet.ts";
import { bareContender, installPeers, peerContenders, workerdStreet } from "./load/peers.ts";
import { PROXIED, proxyContenders, startUpstream } from "./load/proxies.ts";
import { measurePublishes } from "./load/publishes.ts";
import { runRounds } from "./load/rounds.ts";
import type { ScenarioResult } from "./load/rounds.ts";
import { measureStarts } from "./load/starts.ts";
import { machineFacts } from "./machine.ts";
import { MICRO, SERIAL_FILE, type MicroResult } from "./micro/list.ts";
import { USAGE, readPlan } from "./options.ts";
import type { Plan, ScenarioName } from "./options.ts";
import {
  printCold,
  printFairness,
  printCordon,
  printGoals,
  printLoad,
  printMachine,
  printPublishes,
  printStarts,
} from "./report.ts";

const RESULTS = join(import.meta.dirname, "results");
const POOL_FLAGS = ["--default-trust", "untrusted"];
const CONNECTIONS_FULL = [1, 32, 256];
const CONNECTIONS_QUICK = [1, 32];
/** What a goal is measured with. */
const GOAL_CONNECTIONS_MAX = 32;
/** Each isolate compiles its hot code for itself, and gets only its share of the requests. */
const SPREAD_WARM_FACTOR = 4;
const SMALL_BODY = 1024;
const LARGE_BODY: number = 100 * 1024;

interface Session {
  readonly plan: Plan;
  readonly folder: string;
  readonly generator: Generator;
  readonly skipped: { contender: string; reason: string }[];
  readonly load: ScenarioResult[];
}

async function main(): Promise<void> {
  const plan = planOrExit();
  const startedAt = performance.now();
  const machine = machineFacts();
  const reason = plan.peers ? installPeers() : "--no-peers";
  if (reason !== "") console.log(`Without peers: ${reason}`);
  const folder = mkdtempSync(join(tmpdir(), "islet-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const generator = findGenerator(folder);
  const session: Session = { plan, folder, generator, skipped: [], load: [] };
  printMachine(machine, generator.name);
  const peers =
    reason === "" ? peerContenders(folder).filter(({ name }) => wanted(plan, name)) : [];
  const failures: string[] = [];
  const when: When = async (name, work) => {
    if (!plan.scenarios.has(name)) return null;
    try {
      return await work();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      console.log(`\n${name} failed: ${message}`);
      failures.push(`${name}: ${message}`);
      return null;
    }
  };

  await measureLoads(session, peers, when);
  const cold = await when("cold", () => measureCold(folder, plan.endpoints));
  if (cold !== null) printCold(cold);
  const cordon = await when("cordon", () => measureCordon(folder, plan));
  if (cordon !== null) printCordon(cordon);
  const publish = await when("publish", () => measurePublishes(folder, plan.publishes));
  if (publish !== null) printPublishes(publish);
  const starts = await when("start", () => measureStarts(peers, { folder, runs: plan.starts }));
  if (starts !== null) printStarts(starts);
  const fairness = await when("fairness", () => measureFairness(streets(session, peers), plan));
  if (fairness !== null) printFairness(fairness);
  const micro = await when("micro", async () => runMicro(folder));
  await stopEsbuild();

  const found = { publish: publish ?? [], cordon: cordon ?? [], micro: micro ?? [] };
  const goals = judge({ load: session.load, cold, ...found });
  printGoals(goals);
  for (const { contender, reason: why } of session.skipped)
    console.log(`skipped ${contender}: ${why}`);
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  const { skipped, load } = session;
  const result = {
    machine,
    seconds,
    plan: { ...plan, scenarios: [...plan.scenarios] },
    generator: generator.name,
    goals,
    load,
    cold,
    cordon,
    publish,
    starts,
    fairness,
    micro,
    skipped,
    failures,
  };
  mkdirSync(RESULTS, { recursive: true });
  const path = join(RESULTS, `${plan.name}.json`);
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
  console.log(`\n${seconds} s; ${path}`);
  process.exit(failures.length > 0 ? 1 : 0);
}

type When = <T>(name: ScenarioName, work: () => Promise<T>) => Promise<T | null>;

async function measureLoads(
  session: Session,
  peers: readonly Contender[],
  when: When,
): Promise<void> {
  await when("hello", () => hello(session, peers));
  await when("echo", () => echo(session, peers));
  await when("hono", () => appUnderLoad(session, peers, [{ app: HONO, call: HONO.call }]));
  await when("endpoints", () => endpoints(session));
  await when("proxy", () => proxies(session));
}

function planOrExit(): Plan {
  try {
    return readPlan(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    console.error(USAGE);
    return process.exit(2);
  }
}

function wanted(plan: Plan, name: string): boolean {
  return plan.contenders.length === 0 || plan.contenders.includes(name);
}

function chosen<T extends { readonly name: string }>(plan: Plan, contenders: readonly T[]): T[] {
  const found = contenders.filter(({ name }) => wanted(plan, name));
  if (found.length > 0) return found;
  const names = contenders.map(({ name }) => name).join(", ");
  throw new Error(`it has no contender "${plan.contenders.join('" or "')}": ${names}`);
}

async function hello(session: Session, peers: readonly Contender[]): Promise<void> {
  const counts = session.plan.quick ? CONNECTIONS_QUICK : CONNECTIONS_FULL;
  await appUnderLoad(
    session,
    peers,
    counts.map((connections) => ({ app: HELLO, call: HELLO.call, connections })),
  );
}

async function echo(session: Session, peers: readonly Contender[]): Promise<void> {
  const large: Call = { ...ECHO.call, body: jsonOf(LARGE_BODY) };
  await appUnderLoad(session, peers, [
    { app: ECHO, call: ECHO.call, title: "JSON echo 1 KB" },
    ...(session.plan.quick ? [] : [{ app: ECHO, call: large, title: "JSON echo 100 KB" }]),
  ]);
}

interface Step {
  readonly app: App;
  readonly call: Call;
  readonly title?: string;
  readonly connections?: number;
}

/** Starts every contender once for the app, and takes all steps on them. */
async function appUnderLoad(
  session: Session,
  peers: readonly Contender[],
  steps: readonly Step[],
): Promise<void> {
  const { plan, folder, generator } = session;
  const [first] = steps;
  if (first === undefined) return;
  const contenders = chosen(plan, [
    bareContender(folder),
    isletContender("islet inline", folder),
    isletContender("islet pool", folder, POOL_FLAGS),
    isletContender("islet node", folder, ["--listener", "node"]),
    ...peers,
  ]);
  await withServers(session, contenders, first.app, async (servers) => {
    for (const { app, call, title, connections = 32 } of steps) {
      const isGoal = app === HELLO && connections <= GOAL_CONNECTIONS_MAX;
      const found = await runRounds(servers, generator, {
        scenario: title ?? app.name,
        app,
        call,
        connections,
        rounds: plan.rounds,
        seconds: isGoal ? plan.goalSeconds : plan.seconds,
        warmSeconds: plan.warmSeconds,
      });
      session.load.push(found);
      printLoad(found);
    }
  });
}

async function endpoints(session: Session): Promise<void> {
  const { plan, folder, generator } = session;
  const many = { folder, endpoints: plan.endpoints };
  const contenders = chosen(plan, [
    bareContender(folder),
    manyEndpoints("islet inline", { ...many, flags: [] }),
    manyEndpoints("islet pool", { ...many, flags: POOL_FLAGS }),
  ]);
  await withServers(session, contenders, HELLO, async (servers) => {
    const found = await runRounds(servers, generator, {
      scenario: `hello over ${plan.endpoints} endpoints`,
      app: HELLO,
      connections: 32,
      call: {
        path: "/endpoint-0",
        body: null,
      },
      rounds: plan.rounds,
      seconds: plan.seconds,
      warmSeconds: plan.warmSeconds * SPREAD_WARM_FACTOR,
      endpoints: plan.endpoints,
    });
    session.load.push(found);
    printLoad(found);
  });
}

function streets({ plan, folder }: Session, peers: readonly Contender[]): StreetContender[] {
  const own = [
    isletStreet("islet inline", folder, "own"),
    isletStreet("islet pool", folder, "untrusted"),
  ].filter(({ name }) => wanted(plan, name));
  const hasWorkerd = peers.some(({ name }) => name === "workerd");
  return hasWorkerd ? [...own, workerdStreet(folder, BURNERS, calibrate())] : own;
}

async function withServers(
  session: Session,
  contenders: readonly Contender[],
  app: App,
  work: (servers: readonly Server[]) => Promise<void>,
): Promise<void> {
  const servers: Server[] = [];
  try {
    for (const contender of contenders) {
      try {
        servers.push(await contender.start(app));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        console.log(`skipped ${contender.name} (${app.name}): ${reason.slice(0, 300)}`);
        session.skipped.push({ contender: `${contender.name} (${app.name})`, reason });
      }
    }
    await work(servers);
  } finally {
    const ends = await Promise.allSettled(servers.map((server) => server.stop()));
    for (const end of ends) if (end.status === "rejected") console.log(String(end.reason));
  }
}

/** With bodies of 1 KB and 100 KB. */
async function proxies(session: Session): Promise<void> {
  const { plan, folder, generator } = session;
  const proxied = chosen(plan, proxyContenders(folder));
  const upstream = await startUpstream();
  const contenders = proxied.map((each) => ({
    name: each.name,
    start: () => each.start(upstream.port),
  }));
  try {
    await withServers(session, contenders, PROXIED, async (servers) => {
      for (const length of [SMALL_BODY, LARGE_BODY]) {
        const found = await runRounds([upstream, ...servers], generator, {
          scenario: `proxy, ${length / 1_024} KB`,
          app: PROXIED,
          call: { path: `/${length}`, body: null },
          connections: GOAL_CONNECTIONS_MAX,
          rounds: plan.rounds,
          seconds: plan.goalSeconds,
          warmSeconds: plan.warmSeconds,
        });
        session.load.push(found);
        printLoad(found, ["no proxy", "nginx", "haproxy", "fastify"]);
      }
    });
  } finally {
    await upstream.stop();
  }
}

/** Each in a process of its own, so that no bench is warmed or spoiled by another. */
function runMicro(folder: string): MicroResult[] {
  const rows: MicroResult[] = [];
  for (const file of MICRO) {
    console.log(`\n${file}`);
    const json = join(folder, "micro.json");
    rmSync(json, { force: true });
    execFileSync(process.execPath, ["--no-node-snapshot", join(import.meta.dirname, file)], {
      stdio: "inherit",
      env: { ...process.env, [SERIAL_FILE]: json },
    });
    rows.push({ file, tasks: JSON.parse(readFileSync(json, "utf8")) as MicroResult["tasks"] });
  }
  return rows;
}

await main();
