// What ends a child's work: processor time that it has used, not time in which others had the processor.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { openJails, type Jails, type SpawnJail } from "../../compiler/jails.ts";

const MAIN: string = fileURLToPath(new URL("jail-child.ts", import.meta.url));
const DONE = { kind: "verdict", verdict: { kind: "done" } };

const pids: number[] = [];
const spawnPlain: SpawnJail = (file, args, { stdio, ...rest }) =>
  spawn(file, args, { ...rest, stdio: [...stdio] });
const spawnNoted: SpawnJail = (...what) => {
  const child = spawnPlain(...what);
  pids.push(child.pid ?? Number.NaN);
  return child;
};
/** As where the system tells nothing of processes. */
const spawnUnseen: SpawnJail = (...what) =>
  Object.defineProperty(spawnPlain(...what), "pid", { value: 0 });

function open(spawnJail: SpawnJail): Jails {
  return openJails({
    spawn: spawnJail,
    main: MAIN,
    v8Flags: [],
    compileCacheDir: null,
    standby: 0,
  });
}

const jails = open(spawnNoted);
const unseen = open(spawnUnseen);
afterAll(() => {
  jails.close();
  unseen.close();
});

const jobOf = (guestCode: string) => ({ kind: "platform", guestCode, candidate: "" }) as const;

describe("a job", () => {
  test("that gets no processor is not cut, though another uses up the same time", async () => {
    const staged = Promise.withResolvers<void>();
    const run = jails.run(jobOf("stage"), { cpuMs: 300, onStage: () => staged.resolve() });
    const pid = pids.at(-1) ?? Number.NaN;
    await staged.promise;
    process.kill(pid, "SIGSTOP");
    const burner = await jails.run(jobOf("burn"), { cpuMs: 300 });
    expect(burner).toEqual({ kind: "timeout" });
    process.kill(pid, "SIGUSR2");
    process.kill(pid, "SIGCONT");
    expect(await run).toEqual(DONE);
  });

  test("may use its time anew after its stage, but no more than that", async () => {
    let stages = 0;
    const onStage = (): void => void stages++;
    const limits = { cpuMs: 60_000, nextCpuMs: 300, onStage };
    expect(await jails.run(jobOf("stage burn"), limits)).toEqual({ kind: "timeout" });
    expect(stages).toBe(1);
  });

  test("whose time nobody tells is held to it by the clock", async () => {
    expect(await unseen.run(jobOf(""), { cpuMs: 300 })).toEqual({ kind: "timeout" });
  });

  test("that neither works nor ends is given up by the clock", async () => {
    const run = jails.run(jobOf(""), { cpuMs: 60_000, wallMs: 300 });
    expect(await run).toEqual({ kind: "starved" });
  });
});
