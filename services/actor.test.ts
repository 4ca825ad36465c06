import { expect, test } from "vitest";
import { EdgeError, type Code } from "../sdk/errors.ts";
import type { Backend } from "../sdk/services/service.ts";
import { ServiceActor, type ActorLimits, type ActorSetting, type Health } from "./actor.ts";

const LIMITS: ActorLimits = { concurrency: 2, queue: 4, timeoutMs: 1_000 };

interface Gate {
  readonly reached: Promise<void>;
  open(): void;
}

interface Stage {
  readonly actor: ServiceActor<Backend>;
  readonly setting: ActorSetting<Backend>;
  readonly healths: Health[];
  readonly panics: unknown[];
  readonly opened: Backend[];
  readonly closed: Backend[];
  nowMs: number;
  failing: EdgeError | null;
}

function createStage(limits: Partial<ActorLimits> = {}): Stage {
  const stage: Stage = {
    healths: [],
    panics: [],
    opened: [],
    closed: [],
    nowMs: 0,
    failing: null,
    setting: {
      limits: { ...LIMITS, ...limits },
      async open() {
        if (stage.failing !== null) throw stage.failing;
        const backend: Backend = {
          probe: async () => ({ version: "1" }),
          close: async () => void stage.closed.push(backend),
        };
        stage.opened.push(backend);
        return backend;
      },
    },
    actor: new ServiceActor<Backend>("main", {
      now: () => stage.nowMs,
      onHealth: (health) => stage.healths.push(health),
      onPanic: (error) => stage.panics.push(error),
    }),
  };
  stage.actor.start(stage.setting);
  return stage;
}

function createGate(): Gate & { readonly work: () => Promise<string> } {
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
  return {
    reached,
    open,
    async work() {
      reach();
      await opened;
      return "done";
    },
  };
}

const forever = new AbortController().signal;
const calls = (caller: string, signal = forever): { caller: string; signal: AbortSignal } => ({
  caller,
  signal,
});

async function codeOf(call: Promise<unknown>): Promise<Code | null> {
  try {
    await call;
    return null;
  } catch (error) {
    return error instanceof EdgeError ? error.code : "INTERNAL";
  }
}

test("an actor opens its backend with the first call, once for all that come meanwhile", async () => {
  const { actor, opened } = createStage();
  expect(opened).toHaveLength(0);
  await Promise.all([1, 2].map(() => actor.run(async (backend) => backend, calls("a"))));
  expect(opened).toHaveLength(1);
  expect(await actor.probe()).toMatchObject({ version: "1" });
});

test("calls beyond the concurrency wait, and beyond the queue are refused", async () => {
  const { actor } = createStage();
  const gate = createGate();
  const call = (caller: string): Promise<string> => actor.run(gate.work, calls(caller));
  const taken = ["a", "b", "a", "a", "b", "b"].map(call);
  await gate.reached;
  expect(actor.stats()).toMatchObject({ running: 2, waiting: 4 });
  expect(await codeOf(call("c"))).toBe("SERVICE_OVERLOADED");
  gate.open();
  expect(await Promise.all(taken)).toEqual(Array(6).fill("done"));
  expect(actor.stats()).toMatchObject({ running: 0, waiting: 0, calls: 7, failures: 1 });
});

test("one caller fills at most half of the queue, and callers take turns", async () => {
  const { actor } = createStage({ concurrency: 1 });
  const gate = createGate();
  const order: string[] = [];
  const call = (name: string): Promise<void> =>
    actor.run(async () => void order.push(name), calls(name.charAt(0)));
  const running = actor.run(gate.work, calls("a"));
  await gate.reached;
  const waiting = [call("a1"), call("a2")];
  expect(await codeOf(call("a3"))).toBe("SERVICE_OVERLOADED");
  waiting.push(call("b1"), call("b2"));
  gate.open();
  await Promise.all([running, ...waiting]);
  expect(order).toEqual(["a1", "b1", "a2", "b2"]);
});

test("a call that takes too long is ended, its signal aborts, and its place is kept until it is done", async () => {
  const { actor } = createStage({ concurrency: 1, timeoutMs: 20 });
  const gate = createGate();
  let aborted = false;
  const call = actor.run(async (_backend, signal) => {
    signal.addEventListener("abort", () => {
      aborted = true;
    });
    await gate.work();
  }, calls("a"));
  expect(await codeOf(call)).toBe("SERVICE_TIMEOUT");
  expect(aborted).toBe(true);
  expect(actor.stats().running).toBe(1);
  gate.open();
  await expect.poll(() => actor.stats().running).toBe(0);
});

test("a call whose request died leaves the queue at once", async () => {
  const { actor } = createStage({ concurrency: 1 });
  const gate = createGate();
  const running = actor.run(gate.work, calls("a"));
  await gate.reached;
  const request = new AbortController();
  const waiting = actor.run(gate.work, calls("a", request.signal));
  request.abort();
  expect(await codeOf(waiting)).toBe("CANCELLED");
  expect(actor.stats().waiting).toBe(0);
  gate.open();
  expect(await running).toBe("done");
});

test("a backend that cannot be opened is tried again after growing pauses, and refuses at once meanwhile", async () => {
  const stage = createStage();
  const { actor, opened, healths } = stage;
  const call = (): Promise<unknown> => actor.run(async () => "well", calls("a"));
  stage.failing = new EdgeError("SERVICE_REFUSED", "Wrong password.");
  expect(await codeOf(call())).toBe("SERVICE_REFUSED");
  await expect(call()).rejects.toThrow(
    "Wrong password. The service main is tried again in 100 ms.",
  );
  stage.nowMs = 100;
  expect(await codeOf(call())).toBe("SERVICE_REFUSED");
  await expect(call()).rejects.toThrow("in 200 ms.");
  stage.failing = null;
  stage.nowMs = 300;
  expect(await call()).toBe("well");
  expect(opened).toHaveLength(1);
  expect(healths.map(({ ok, code }) => [ok, code])).toEqual([
    [false, "SERVICE_REFUSED"],
    [true, null],
  ]);
});

test("what only the call is to blame for leaves the service healthy", async () => {
  const { actor, healths } = createStage();
  for (const code of ["SERVICE_FAILED", "SERVICE_CONFLICT", "SERVICE_INPUT"] as const) {
    const call = actor.run(() => Promise.reject(new EdgeError(code)), calls("a"));
    expect(await codeOf(call)).toBe(code);
  }
  expect(healths).toEqual([]);
});

test("a backend that breaks is closed and opened anew, and the caller told that it is not there", async () => {
  const stage = createStage();
  const { actor, opened, closed, panics } = stage;
  const bug = new TypeError("undefined is no function");
  const broken = actor.run(() => Promise.reject(bug), calls("a"));
  expect(await codeOf(broken)).toBe("SERVICE_UNAVAILABLE");
  expect(panics).toEqual([bug]);
  expect(closed).toEqual([opened[0]]);
  expect(await codeOf(actor.run(async () => "soon", calls("a")))).toBe("SERVICE_UNAVAILABLE");
  stage.nowMs = 100;
  expect(await actor.run(async () => "well", calls("a"))).toBe("well");
  expect(opened).toHaveLength(2);
  expect(actor.stats().restarts).toBe(1);
});

test("an actor that is stopped lets what it has end, takes no more and closes the backend", async () => {
  const { actor, closed } = createStage();
  const gate = createGate();
  const running = actor.run(gate.work, calls("a"));
  await gate.reached;
  const stopping = actor.stop();
  expect(await codeOf(actor.run(async () => "late", calls("a")))).toBe("SERVICE_STOPPED");
  expect(closed).toHaveLength(0);
  gate.open();
  await stopping;
  expect(await running).toBe("done");
  expect(closed).toHaveLength(1);
});

test("a new setting serves what comes from then on, and the calls before end under the old one", async () => {
  const { actor, setting, opened, closed } = createStage();
  const gate = createGate();
  const running = actor.run(gate.work, calls("a"));
  await gate.reached;
  actor.start(setting);
  await actor.run(async () => "new", calls("a"));
  expect(opened).toHaveLength(2);
  expect(closed).toHaveLength(0);
  gate.open();
  expect(await running).toBe("done");
  await expect.poll(() => closed).toEqual([opened[0]]);
});

test("an actor that was stopped takes calls again once it is started", async () => {
  const { actor, setting } = createStage();
  await actor.stop();
  expect(await codeOf(actor.probe())).toBe("SERVICE_STOPPED");
  actor.start(setting);
  expect(await actor.probe()).toMatchObject({ version: "1" });
});

test("a backend answers at once only when it is open and nobody waits for a place", async () => {
  const { actor } = createStage({ concurrency: 1 });
  expect(actor.runNow(() => 1)).toBeNull();
  await actor.run(async () => "open", calls("a"));
  expect(actor.runNow(() => 1)).toBe(1);
  expect(actor.runNow(() => null)).toBeNull();
  expect(actor.stats()).toMatchObject({ calls: 2, failures: 0 });
  const gate = createGate();
  const running = actor.run(gate.work, calls("a"));
  await gate.reached;
  expect(actor.runNow(() => 1)).toBeNull();
  gate.open();
  await running;
  expect(actor.runNow(() => 1)).toBe(1);
  await actor.stop();
  expect(actor.runNow(() => 1)).toBeNull();
});

test("what fails at once is counted like all else, and a bug discards the backend", async () => {
  const { actor, panics, closed } = createStage();
  await actor.run(async () => "open", calls("a"));
  const refuse = (error: Error) => () => {
    throw error;
  };
  expect(() => actor.runNow(refuse(new EdgeError("SERVICE_INPUT", "no")))).toThrow("no");
  expect(() => actor.runNow(refuse(new TypeError("a bug")))).toThrow(EdgeError);
  expect(actor.stats()).toMatchObject({ calls: 3, failures: 2, open: false });
  expect(panics).toHaveLength(1);
  await expect.poll(() => closed).toHaveLength(1);
});
