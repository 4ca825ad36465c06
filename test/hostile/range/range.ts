// A real node with one worker that everything shares, an honest neighbour on it that is asked all the time, and
// attacks run against it one after the other.

import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { WorkerRestarts } from "../../../sdk/node.ts";
import type { Trust } from "../../../sdk/records.ts";
import { startNode, type TestNode } from "../../node.ts";
import { keptBytes } from "../../soak/kept-memory.ts";
import { until } from "../../waiting.ts";
import { LIMITS_OF_ATTACKS, handler, type Attack, type Verdict } from "./attack.ts";
import { MachineShare } from "./machine.ts";
import { HostilePeer } from "./peer.ts";
import { Probe } from "./probe.ts";
import type { Stretch } from "./probe-thread.ts";
import { Target, shoot } from "./target.ts";

const PAGE_BYTES = 4_096;
const SAMPLE_MS = 20;
/** Requests that earn the accepting thread for code that may have it; it takes 20 short slices. */
const WARM_UP = 30;
/** For a worker that is silent to be found (3 s), killed and replaced, and for its endpoint to load. */
const RECOVERY_MS_MAX = 10_000;
/** Collectors, disposals and replacements are not done at once. */
const SETTLE_MS_MAX = 4_000;
/** V8 keeps the pages of an isolate that is gone for 8 s. */
const REST_MS = 10_000;
/** What may stay behind after one attack: allocators keep pages, and a heap of the host grows in steps. */
export const LEFT_BYTES_MAX: number = 48 * 1024 * 1024;
const NEIGHBOUR = "neighbour";

/**
 * Honest replies, long and many at once: what an allocator keeps after them is no attack's doing. And they show what is
 * only garbage: V8 has no reason to collect it while a worker rests, up to 64 MB of buffers by its own bound.
 */
const WORK = "work";
const WORK_SOURCE: string = handler(
  "let left = 64; return new Response(new ReadableStream({ pull(c) { left-- > 0 ? c.enqueue(new Uint8Array(65536).fill(1)) : c.close(); } }));",
);
/** At once. */
const REPLIES = 20;

export interface Result {
  readonly attack: Attack;
  readonly trust: Trust;
  /** Of every request, without doubles; null: the node refused the code, `reply` says why. */
  readonly verdicts: readonly Verdict[] | null;
  readonly reply: string;
  readonly ms: number;
  /** Resident bytes of all workers, the one that stands by included. */
  readonly before: number;
  readonly peak: number;
  readonly after: number;
  /** What they had when the node was new. */
  readonly level: number;
  readonly stretch: Stretch;
  /** Of the machine, that neither node nor test used: 0 to 1. */
  readonly others: number;
  readonly recovered: boolean;
  /** Workers that served before and do not any more. */
  readonly lost: number;
  /** What the node says of them. */
  readonly why: readonly string[];
}

/** Of several attacks at once. */
export type Mixed = Pick<Result, "stretch" | "others" | "lost" | "why">;

export class Range implements AsyncDisposable {
  readonly node: TestNode;
  readonly trust: Trust;
  readonly #peer: HostilePeer;
  readonly #probe: Probe;
  #count = 0;
  /** Resident bytes of the workers of the node when it was new and had done some work. */
  #level = 0;

  private constructor(node: TestNode, trust: Trust, peer: HostilePeer) {
    this.node = node;
    this.trust = trust;
    this.#peer = peer;
    this.#probe = new Probe(node.port, `/${NEIGHBOUR}`, NEIGHBOUR);
  }

  static async open(trust: Trust): Promise<Range> {
    const peer = await HostilePeer.start();
    const args = ["--default-trust", trust, "--allow-private-egress"];
    const node = await startNode({ standby: true, workers: 1, args });
    await node.publish(
      NEIGHBOUR,
      `export default { fetch: () => new Response(${JSON.stringify(NEIGHBOUR)}) };`,
    );
    await node.standby();
    const range = new Range(node, trust, peer);
    await node.publish(WORK, WORK_SOURCE);
    await range.#work();
    range.#level = residentOf(node.workerProcesses());
    return range;
  }

  async run(attack: Attack): Promise<Result> {
    const name = `${attack.group}-${++this.#count}`;
    const limits = { ...LIMITS_OF_ATTACKS, ...attack.limits };
    const watch = new Watch(this.node);
    const machine = new MachineShare(this.node.pid);
    const serving = await this.node.serving();
    const begunMs = Date.now();
    this.#probe.begin();
    const target = new Target(this.node.port, name, this.#peer.url);
    let verdicts: readonly Verdict[] | null = null;
    let recovered = true;
    let ms = 0;
    try {
      await this.node.publish(name, sourceOf(attack), { limits });
      // One after the other: what comes together may share a slice.
      for (let i = 0; i < (this.trust === "own" ? WARM_UP : 1); i++) await target.get("/ok");
      const begun = performance.now();
      const ended = await (attack.trigger ?? ((at) => at.get()))(target);
      verdicts = [...new Set([ended].flat())].toSorted();
      ms = performance.now() - begun;
      const { reply } = target;
      recovered = attack.breaksItself === true || (await this.#recovers(name));
      target.reply = reply;
    } catch (error) {
      target.reply = String(error);
    }
    await this.node.api("DELETE", `/api/endpoints/${name}`);
    const isBack = await this.#settles(watch);
    const stretch = await this.#probe.end();
    if (!isBack) await this.#work();
    if (!isBack && !(await this.#settles(watch)) && recovered) await this.#collectGarbage();
    const now = new Set(await this.node.serving());
    return {
      attack,
      trust: this.trust,
      verdicts,
      reply: target.reply,
      ms,
      ...watch.end(),
      level: this.#level,
      stretch,
      others: machine.othersShare(),
      recovered,
      lost: serving.filter((pid) => !now.has(pid)).length,
      why: await this.#why(begunMs),
    };
  }

  /** Several at once, as a node meets them; only what the neighbour saw of it is told. */
  async mix(attacks: readonly Attack[]): Promise<Mixed> {
    const machine = new MachineShare(this.node.pid);
    const serving = await this.node.serving();
    const begunMs = Date.now();
    this.#probe.begin();
    await Promise.all(
      attacks.map(async (attack) => {
        const name = `mix-${++this.#count}`;
        const limits = { ...LIMITS_OF_ATTACKS, ...attack.limits };
        const target = new Target(this.node.port, name, this.#peer.url);
        try {
          await this.node.publish(name, sourceOf(attack), { limits });
          await (attack.trigger ?? ((at) => at.get()))(target);
        } catch {
          // Refused, or the worker of another attack went down under it: what counts is the neighbour.
        }
        await this.node.api("DELETE", `/api/endpoints/${name}`);
      }),
    );
    await until("a worker serves", async () => (await this.node.serving()).length === 1);
    const now = new Set(await this.node.serving());
    const lost = serving.filter((pid) => !now.has(pid)).length;
    const why = await this.#why(begunMs);
    return { stretch: await this.#probe.end(), others: machine.othersShare(), lost, why };
  }

  /** Until it has given back what it can. */
  async rest(): Promise<void> {
    await this.#work();
    await delay(REST_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#probe[Symbol.asyncDispose]();
    await this.node.stop();
    await this.#peer[Symbol.asyncDispose]();
  }

  async #recovers(name: string): Promise<boolean> {
    const deadline = performance.now() + RECOVERY_MS_MAX;
    do {
      const { verdict, text } = await shoot(this.node.port, `/${name}/ok`);
      if (verdict === "ok" && text === "ok") return true;
      await delay(SAMPLE_MS);
    } while (performance.now() < deadline);
    return false;
  }

  /** Workers were replaced since then. */
  async #why(sinceMs: number): Promise<string[]> {
    const { data } = await this.node.api("GET", "/api/stats");
    const { recent } = Reflect.get(Object(data), "worker_restarts") as WorkerRestarts;
    return recent.filter(({ at }) => Date.parse(at) >= sinceMs).map(({ text }) => text);
  }

  async #work(): Promise<void> {
    await new Target(this.node.port, WORK, this.#peer.url).volley(REPLIES);
  }

  /** Long strings count for another bound of V8's than buffers, and both together are more than may stay. */
  async #collectGarbage(): Promise<void> {
    try {
      for (const pid of await this.node.serving()) await keptBytes(pid);
    } catch {
      // Another process of this machine is being inspected: then memory is judged as it is.
    }
  }

  async #settles(watch: Watch): Promise<boolean> {
    const deadline = performance.now() + SETTLE_MS_MAX;
    while (performance.now() < deadline) {
      // A worker that is replaced drains first, and a new one comes to stand by.
      const workers = this.node.workerProcesses();
      const resident = residentOf(workers);
      const level = Math.max(watch.before, this.#level);
      if (workers.length === 2 && resident - level <= LEFT_BYTES_MAX) return true;
      await delay(SAMPLE_MS);
    }
    return false;
  }
}

/** Memory of a node's workers, from now to `end`. */
class Watch {
  readonly before: number;
  readonly #node: TestNode;
  readonly #timer: NodeJS.Timeout;
  #workers: number[];
  #peak: number;
  #looks = 0;

  constructor(node: TestNode) {
    this.#node = node;
    this.#workers = node.workerProcesses();
    this.before = residentOf(this.#workers);
    this.#peak = this.before;
    this.#timer = setInterval(() => this.#look(), SAMPLE_MS);
  }

  end(): { before: number; peak: number; after: number } {
    clearInterval(this.#timer);
    const after = residentOf(this.#node.workerProcesses());
    return { before: this.before, peak: Math.max(this.#peak, after), after };
  }

  #look(): void {
    // Finding them reads all of /proc.
    if (++this.#looks % 10 === 0) this.#workers = this.#node.workerProcesses();
    this.#peak = Math.max(this.#peak, residentOf(this.#workers));
  }
}

function sourceOf({ source }: Attack): string {
  return typeof source === "string" ? source : source();
}

function residentOf(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    try {
      sum += Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * PAGE_BYTES;
    } catch {
      // It has ended.
    }
  }
  return sum;
}
