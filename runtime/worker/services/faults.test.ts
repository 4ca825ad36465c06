import { expect, test } from "vitest";
import { EdgeError } from "../../../sdk/errors.ts";
import type { BindingFault } from "../../../sdk/services/faults.ts";
import type { CallContext, ServicePort } from "../../../sdk/services/service.ts";
import { createPort } from "../../../services/port.ts";
import { Faults, WAITING_MAX } from "./faults.ts";

const NONE: BindingFault = { delayShare: 0, delayMs: 0, failShare: 0, code: null };

/** Chance is what `rolls` says, one after the other, and waits end when the test says so. */
class Stage {
  readonly rolls: number[] = [];
  readonly waits: { readonly ms: number; readonly end: () => void }[] = [];
  readonly logged: string[] = [];
  readonly notes: string[] = [];
  readonly called: string[] = [];
  readonly faults = new Faults({
    random: () => this.rolls.shift() ?? 0.999,
    wait: (ms, signal) =>
      new Promise<void>((end, fail) => {
        this.waits.push({ ms, end });
        signal.addEventListener("abort", () => fail(new Error("aborted")));
      }),
    log: (level, text) => this.logged.push(`${level} ${text}`),
  });
  readonly #port: ServicePort = createPort({
    methods: { get: async () => (this.called.push("get"), "later") },
    now: { get: () => ({ value: "now" }) },
  });

  port(own: Readonly<Record<string, BindingFault>> | undefined, name = "KV"): ServicePort {
    return this.faults.of("shop", own).port(name, this.#port);
  }

  context(signal: AbortSignal = new AbortController().signal): CallContext {
    const note = (text: string): void => void this.notes.push(text);
    return { request: 1, signal, body: null, hold: () => true, note };
  }

  /** As the isolate's end asks: at once where that can be, else with a promise. */
  async ask(port: ServicePort): Promise<unknown> {
    const now = port.callNow?.("get", [], this.context()) ?? null;
    if (now !== null) return now.value;
    try {
      return await port.call("get", [], this.context());
    } catch (error) {
      return error instanceof EdgeError ? error.code : error;
    }
  }
}

test("a binding that nobody made to fail is answered at once, and chance is not asked", async () => {
  const stage = new Stage();
  stage.rolls.push(0);
  expect(await stage.ask(stage.port(undefined))).toBe("now");
  expect(await stage.ask(stage.port({ OTHER: { ...NONE, failShare: 1 } }))).toBe("now");
  expect(stage.rolls).toEqual([0]);
  expect(stage.faults.samples()).toEqual({ edge_injected_faults_total: {} });
});

test("a share of calls fails with the code and never reaches the service; log and count tell", async () => {
  const stage = new Stage();
  const port = stage.port({ KV: { ...NONE, failShare: 0.25, code: "SERVICE_TIMEOUT" } });
  stage.rolls.push(0.2499, 0.25, 0);
  expect([await stage.ask(port), await stage.ask(port), await stage.ask(port)]).toEqual([
    "SERVICE_TIMEOUT",
    "later",
    "SERVICE_TIMEOUT",
  ]);
  expect(stage.called).toEqual(["get"]);
  expect(stage.notes[0]).toBe("Injected fault: get of KV fails with SERVICE_TIMEOUT.");
  expect(stage.faults.samples().edge_injected_faults_total).toEqual({
    'endpoint="shop",binding="KV",effect="fail"': 2,
  });
  await expect(
    stage.port({ KV: { ...NONE, failShare: 1 } }).call("get", [], stage.context()),
  ).rejects.toMatchObject({
    code: "SERVICE_UNAVAILABLE",
    message: "Injected fault: get of KV was made to fail.",
  });
});

test("a call that waits reaches the service afterwards, or fails then, or is cancelled", async () => {
  const stage = new Stage();
  const port = stage.port({ KV: { delayShare: 1, delayMs: 200, failShare: 0.5, code: null } });
  stage.rolls.push(0, 0.9);
  const first = stage.ask(port);
  expect(stage.waits.map(({ ms }) => ms)).toEqual([200]);
  expect(stage.called).toEqual([]);
  stage.waits[0]?.end();
  expect(await first).toBe("later");
  stage.rolls.push(0, 0);
  const second = stage.ask(port);
  stage.waits[1]?.end();
  expect(await second).toBe("SERVICE_UNAVAILABLE");
  const abort = new AbortController();
  const third = port.call("get", [], stage.context(abort.signal));
  abort.abort();
  await expect(third).rejects.toMatchObject({ code: "CANCELLED" });
  expect(stage.called).toEqual(["get"]);
});

test(`of ${WAITING_MAX} calls that wait at once all wait, the next goes on at once`, async () => {
  const stage = new Stage();
  const port = stage.port({ KV: { ...NONE, delayShare: 1, delayMs: 5 } });
  stage.rolls.push(...Array.from({ length: WAITING_MAX + 1 }, () => 0));
  const waiting = Array.from({ length: WAITING_MAX }, () => stage.ask(port));
  expect(stage.waits).toHaveLength(WAITING_MAX);
  expect(await stage.ask(port)).toBe("later");
  for (const { end } of stage.waits) end();
  await Promise.all(waiting);
  stage.rolls.push(0);
  const next = stage.ask(port);
  expect(stage.waits).toHaveLength(WAITING_MAX + 1);
  stage.waits.at(-1)?.end();
  expect(await next).toBe("later");
});

test("what the file says holds at once, before what was published, for the bindings it names", async () => {
  const stage = new Stage();
  const own = {
    KV: { ...NONE, failShare: 1, code: "SERVICE_STOPPED" as const },
    DB: { ...NONE, failShare: 1 },
  };
  const kv = stage.port(own);
  const db = stage.port(own, "DB");
  stage.faults.configure({ shop: { KV: { ...NONE, failShare: 1, code: "SERVICE_TIMEOUT" } } });
  expect([await stage.ask(kv), await stage.ask(db)]).toEqual([
    "SERVICE_TIMEOUT",
    "SERVICE_UNAVAILABLE",
  ]);
  // Nothing of the kind: so the operator ends what an author has published.
  stage.faults.configure({ shop: { KV: { ...NONE, failShare: 0 } } });
  expect(await stage.ask(kv)).toBe("later");
  stage.faults.configure({});
  expect(await stage.ask(kv)).toBe("SERVICE_STOPPED");
  expect(stage.logged).toEqual([
    "warn The file makes calls wait or fail on purpose: shop (KV).",
    "warn The file makes calls wait or fail on purpose: shop (KV).",
    "info The file makes no calls wait or fail any more.",
  ]);
});
