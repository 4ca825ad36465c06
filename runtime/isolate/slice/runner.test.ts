// Whether a thread that was cut is given up, on an engine whose thread comes back when the test says so.

import { expect, test } from "vitest";
import type { Death, SliceEngine, SliceEvents, SliceHost } from "./contract.ts";
import type { SliceFault } from "./fault.ts";
import { createLaneJudge } from "./lane.ts";
import { Counted } from "./places.ts";
import { SliceRunner } from "./runner.ts";

const LOOK_MS = 20;
const CPU_MS = 100;

/** A runner whose one slice never reports and is cut; its probe answers when `comeBack` is called. */
class Cut {
  share = 1;
  readonly deaths: Death[] = [];
  readonly probes: number[] = [];
  #nowMs = 0;
  #runNs = 0n;
  readonly #back = Promise.withResolvers<SliceFault | null>();
  readonly #runner: SliceRunner;

  constructor() {
    const nothing = (): void => {};
    const witness = { enter: nothing, leave: nothing, begin: nothing, end: nothing };
    const host: SliceHost = {
      now: () => this.#nowMs,
      cpuShare: () => 1,
      forecast: () => this.share,
      schedule: (runner) => runner.flush(),
      later: (run) => run(),
      places: { short: new Counted(1), long: new Counted(1) },
      served: nothing,
      watch: nothing,
      unwatch: nothing,
    };
    const events: SliceEvents = {
      record: nothing,
      malformed: nothing,
      ran: nothing,
      cpuLeftUs: () => CPU_MS * 1_000,
      burned: nothing,
      rejected: nothing,
      drained: nothing,
      culprit: nothing,
      suspects: nothing,
      lost: nothing,
      died: (death) => void this.deaths.push(death),
    };
    const judge = createLaneJudge("untrusted");
    this.#runner = new SliceRunner({ host, judge, cpuMs: CPU_MS, events, witness });
    const engine: SliceEngine = {
      disposed: false,
      busy: false,
      runNs: () => this.#runNs,
      enterInline: nothing,
      enterPool: nothing,
      probe: (_slice, _now, timeoutMs) => {
        this.probes.push(timeoutMs);
        return this.#back.promise;
      },
    };
    this.#runner.attach(engine);
    this.#runner.push({ id: 1, owner: 1, op: "", payload: "", buffer: null });
  }

  /** The watch's, so long after the one before. */
  look(afterMs: number = LOOK_MS): void {
    this.#nowMs += afterMs;
    if (this.probes.length === 0) this.#runNs += BigInt(afterMs) * 1_000_000n;
    this.#runner.look();
    this.#runner.check(this.#nowMs);
  }

  /** By looks of usual distance. */
  untilProbed(): void {
    while (this.probes.length === 0) this.look();
  }

  wait(ms: number): void {
    for (let at = 0; at < ms; at += LOOK_MS) this.look();
  }

  async comeBack(): Promise<void> {
    this.#back.resolve(null);
    await this.#back.promise;
    await Promise.resolve();
  }
}

test("a thread has at least as long to come back as its probe, though the machine is quiet meanwhile", async () => {
  const cut = new Cut();
  cut.share = 0.25;
  cut.untilProbed();
  cut.share = 1;
  cut.wait(cut.probes[0] ?? 0);
  expect(cut.deaths).toEqual([]);
  await cut.comeBack();
  cut.wait(60_000);
  expect(cut.deaths).toEqual([]);
});

test("a thread is not given up for time in which nobody looked", async () => {
  const cut = new Cut();
  cut.untilProbed();
  cut.look(60_000);
  expect(cut.deaths).toEqual([]);
  await cut.comeBack();
  cut.look();
  expect(cut.deaths).toEqual([]);
});

test("a thread that does not come back two seconds after its probe should have ended is lost", () => {
  const cut = new Cut();
  cut.untilProbed();
  const lostMs = (cut.probes[0] ?? 0) + 2_000;
  cut.wait(lostMs - LOOK_MS);
  expect(cut.deaths).toEqual([]);
  cut.wait(2 * LOOK_MS);
  expect(cut.deaths).toEqual(["wedged"]);
});
