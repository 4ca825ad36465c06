import { expect, test } from "vitest";
import type { Deployed } from "../../../sdk/records.ts";
import type { Scheduled, ScheduledEnd } from "../../../sdk/schedule/schedule.ts";
import { deployment, endpoint, version } from "../../../test/control/samples.ts";
import { Schedule } from "./schedule.ts";

const AT = Date.parse("2026-01-01T00:00:30Z");
const OK: ScheduledEnd = { outcome: "ok", durationMs: 1 };

/** A clock whose one timer goes off when the test has moved past it, or before. */
class TestClock {
  ms = AT;
  dueMs: number | null = null;
  wake: () => void = () => undefined;

  now(): number {
    return this.ms;
  }

  after(ms: number, wake: () => void): () => void {
    this.dueMs = this.ms + ms;
    this.wake = wake;
    return () => (this.dueMs = null);
  }

  to(time: string): void {
    this.ms = Date.parse(`2026-01-${time}Z`);
    this.wake();
  }
}

function deployed(name: string, crons: string[], changes: Partial<Deployed["endpoint"]> = {}) {
  const record = version(name, "v1");
  return {
    endpoint: endpoint(name, changes),
    deployment: deployment(name, 1, "v1"),
    versions: [{ ...record, manifest: { ...record.manifest, crons } }],
  };
}

function open(all: Deployed[], end: ScheduledEnd | null = OK) {
  const clock = new TestClock();
  const runs: Scheduled[] = [];
  const lines: string[] = [];
  const schedule = new Schedule({
    registry: {
      all: () => all,
      get: (name) => all.find((each) => each.endpoint.name === name) ?? null,
    },
    run: (scheduled) => {
      runs.push(scheduled);
      return Promise.resolve(end);
    },
    clock,
    log: { write: (level, text) => lines.push(`${level} ${text}`), flush: () => undefined },
  });
  schedule.start();
  const shown = (): string[] =>
    runs.map(({ endpoint: name, cron, scheduledTime }) =>
      [name, cron, new Date(scheduledTime).toISOString().slice(11, 19)].join(" "),
    );
  return { clock, schedule, runs, lines, shown, all };
}

test("a schedule runs what is due once per minute, whenever its timer goes off", () => {
  const { clock, shown } = open([deployed("a", ["* * * * *", "*/2 * * * *"])]);
  expect(clock.dueMs).toBe(AT + 30_000);
  // A little early: the minute has not come.
  clock.to("01T00:00:59.999");
  expect(shown()).toEqual([]);
  expect(clock.dueMs).toBe(AT + 30_000);
  clock.to("01T00:01:00.000");
  expect(shown()).toEqual(["a * * * * * 00:01:00"]);
  // Again in the same minute, and with the clock set back.
  clock.to("01T00:01:30.000");
  clock.to("01T00:00:10.000");
  clock.to("01T00:01:40.000");
  expect(shown()).toHaveLength(1);
  // Late: the occurrence's own time counts.
  clock.to("01T00:02:59.000");
  expect(shown().slice(1)).toEqual(["a * * * * * 00:02:00", "a */2 * * * * 00:02:00"]);
});

test("a schedule makes up for nothing that it has slept through", () => {
  const { clock, shown } = open([deployed("a", ["*/10 * * * *"])]);
  clock.to("01T03:15:00.000");
  expect(shown()).toEqual([]);
  clock.to("01T03:20:00.000");
  expect(shown()).toEqual(["a */10 * * * * 03:20:00"]);
});

test("a schedule that starts does not run the minute that has begun", () => {
  const { clock, schedule, shown } = open([deployed("a", ["* * * * *"])]);
  clock.to("01T00:05:00.000");
  schedule.start();
  clock.to("01T00:05:10.000");
  expect(shown()).toHaveLength(1);
});

test("endpoints that are stopped, disabled or quarantined are not run", () => {
  const quarantined = [{ version: "v1", since: "", strikes: [] }];
  const { clock, schedule, shown } = open([
    deployed("a", ["* * * * *"], { stopped: true }),
    deployed("b", ["* * * * *"], { enabled: false }),
    deployed("c", ["* * * * *"], { quarantined }),
    { ...deployed("d", ["* * * * *"]), deployment: null, versions: [] },
    deployed("e", ["no cron", "* * * * *"]),
  ]);
  clock.to("01T00:01:00.000");
  expect(shown()).toEqual(["e * * * * * 00:01:00"]);
  expect(schedule.list().map(({ nextMs }) => nextMs === null)).toEqual([
    true,
    true,
    true,
    true,
    false,
  ]);
});

test("what came of the last run is shown, and what failed or was lost is logged once", async () => {
  const { clock, schedule, lines } = open([deployed("a", ["* * * * *"])], null);
  clock.to("01T00:01:00.000");
  await Promise.resolve();
  expect(lines).toEqual([expect.stringContaining("is not repeated")]);
  const [view] = schedule.list();
  expect(view).toMatchObject({ endpoint: "a", last: { end: null } });
  expect(view?.nextMs).toBe(Date.parse("2026-01-01T00:02:00Z"));
});

test("a run by hand takes the only cron, or the one that is named", async () => {
  const { schedule, runs } = open([
    deployed("one", ["1 * * * *"]),
    deployed("two", ["1 * * * *", "2 * * * *"]),
    deployed("none", []),
    deployed("stopped", ["1 * * * *"], { stopped: true }),
  ]);
  expect(await schedule.run("one", undefined)).toMatchObject({ cron: "1 * * * *", end: OK });
  await schedule.run("none", "5 5 5 5 *");
  expect(runs.at(-1)).toEqual({ endpoint: "none", cron: "5 5 5 5 *", scheduledTime: AT });
  for (const name of ["two", "none"]) {
    await expect(schedule.run(name, undefined)).rejects.toMatchObject({ code: "INPUT_INVALID" });
  }
  await expect(schedule.run("gone", undefined)).rejects.toMatchObject({
    code: "ENDPOINT_NOT_FOUND",
  });
  await expect(schedule.run("stopped", undefined)).rejects.toMatchObject({ code: "STOPPED" });
});
