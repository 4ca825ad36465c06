import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BreakerConfig, HealthConfig } from "../../../sdk/gateway/config.ts";
import * as breaker from "./breaker.ts";

const CONFIG: BreakerConfig = {
  failures: 3,
  rate: null,
  openForMs: 30_000,
  openForMaxMs: 30_000,
  on: ["connect"],
  maxOpen: 1,
};

class Server {
  readonly row = new Float64Array(breaker.SERVER_ROW);
  now = 1_000_000;
  config = CONFIG;

  get state(): string {
    return breaker.stateOf(this.row);
  }

  begin(): number {
    return breaker.epochOf(this.row);
  }

  fail(epoch: number = this.begin(), mayOpen = true): boolean {
    const { config, now } = this;
    return breaker.failed(this.row, epoch, { breaker: config, now, mayOpen, well: 0 });
  }

  succeed(epoch: number = this.begin()): boolean {
    return breaker.succeeded(this.row, epoch, this.now);
  }

  claim(): boolean {
    return breaker.claim(this.row, this.now, 5_000);
  }

  trip(): this {
    for (let i = 0; i < 3; i++) this.fail();
    return this;
  }
}

describe("a breaker", () => {
  test("opens at the third failure in a row, not before", () => {
    const server = new Server();
    server.fail();
    server.fail();
    expect(server.state).toBe("closed");
    server.fail();
    expect(server.state).toBe("open");
  });

  test("counts from the beginning after a success", () => {
    const server = new Server();
    for (let i = 0; i < 10; i++) {
      server.fail();
      server.fail();
      server.succeed();
    }
    expect(server.state).toBe("closed");
  });

  test("gives one probe after its time, not before, and none beside it", () => {
    const server = new Server().trip();
    server.now += 29_999;
    expect(server.claim()).toBe(false);
    server.now += 1;
    expect(server.claim()).toBe(true);
    expect(server.state).toBe("half-open");
    expect([server.claim(), server.claim()]).toEqual([false, false]);
  });

  test("closes when the probe goes well, and has forgotten what was", () => {
    const server = new Server().trip();
    server.now += 30_000;
    server.claim();
    server.succeed();
    expect(server.state).toBe("closed");
    server.fail();
    server.fail();
    expect(server.state).toBe("closed");
  });

  test("opens for a whole time again when the probe fails", () => {
    const server = new Server().trip();
    server.now += 30_000;
    server.claim();
    server.now += 1_000;
    server.fail();
    expect(server.state).toBe("open");
    server.now += 29_999;
    expect(server.claim()).toBe(false);
    server.now += 1;
    expect(server.claim()).toBe(true);
  });

  test("gives another probe when the first one's client left, or its worker died", () => {
    const server = new Server().trip();
    server.now += 30_000;
    server.claim();
    breaker.abandoned(server.row, server.begin(), server.now);
    expect(server.claim()).toBe(true);
    server.now += 4_999;
    expect(server.claim()).toBe(false);
    server.now += 1;
    expect(server.claim()).toBe(true);
  });

  test("is not moved by results of requests that began before it opened", () => {
    const server = new Server();
    const early = server.begin();
    server.trip();
    const until = breaker.waitMs(server.row, server.now);
    server.now += 10;
    expect([server.succeed(early), server.fail(early)]).toEqual([false, false]);
    expect([server.state, breaker.waitMs(server.row, server.now)]).toEqual(["open", until - 10]);
    server.now += 30_000;
    server.claim();
    server.succeed(early);
    expect(server.state).toBe("half-open");
  });

  test("opens once when many fail at the same moment", () => {
    const server = new Server();
    const epoch = server.begin();
    for (let i = 0; i < 100; i++) server.fail(epoch);
    expect(server.begin()).toBe(epoch + 1);
  });

  test("stays closed while too many others are open", () => {
    const server = new Server();
    for (let i = 0; i < 10; i++) server.fail(server.begin(), false);
    expect(server.state).toBe("closed");
    server.fail();
    expect(server.state).toBe("open");
  });

  test("begins closed after a boot: its times are of another clock", () => {
    const server = new Server().trip();
    server.now = 10;
    breaker.forgetOtherBoot(server.row, server.now);
    expect(server.state).toBe("closed");
  });

  test("has at most one probe at a time, and opens only by failures, whatever comes in which order", () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 20_000 }) }),
      fc.record({ kind: fc.constantFrom("begin" as const) }),
      fc.record({
        kind: fc.constantFrom("succeed" as const, "fail" as const, "leave" as const),
        which: fc.nat(9),
      }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
        const server = new Server();
        let open: { epoch: number; isProbe: boolean; until: number }[] = [];
        for (const step of actions) {
          const before = server.state;
          if (step.kind === "wait") server.now += step.ms;
          else if (step.kind === "begin") {
            const isProbe = before !== "closed" && server.claim();
            if (before === "closed" || isProbe) {
              open.push({ epoch: server.begin(), isProbe, until: server.now + 5_000 });
            }
          } else if (step.which < open.length) {
            const [request] = open.splice(step.which, 1);
            if (request === undefined) continue;
            if (step.kind === "fail") server.fail(request.epoch);
            else if (step.kind === "succeed") server.succeed(request.epoch);
            else breaker.abandoned(server.row, request.epoch, server.now);
            if (server.state !== before && before === "closed") expect(step.kind).toBe("fail");
            if (server.state === "closed" && before !== "closed") {
              expect([step.kind, request.isProbe]).toEqual(["succeed", true]);
            }
          }
          // A probe whose lease has run out is not waited for.
          open = open.filter(({ isProbe, until }) => !isProbe || server.now < until);
          const probes = open.filter(({ isProbe, epoch }) => isProbe && epoch === server.begin());
          expect(probes.length).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});

describe("a breaker by share", () => {
  const rate = { share: 0.5, windowMs: 10_000, minimum: 20 };
  const byShare = (more: Partial<BreakerConfig> = {}): Server => {
    const server = new Server();
    server.config = { ...CONFIG, failures: 0, rate, ...more };
    return server;
  };
  const goWell = (server: Server, times: number): void => {
    breaker.wentWell(server.row, times, server.now, rate);
  };
  const fail = (server: Server, times: number): void => {
    for (let i = 0; i < times; i++) server.fail();
  };

  test("opens when the share fails, not below it and not for less than the minimum", () => {
    const few = byShare();
    fail(few, 19);
    expect(few.state).toBe("closed");
    fail(few, 1);
    expect(few.state).toBe("open");
    const most = byShare();
    goWell(most, 30);
    fail(most, 29);
    expect(most.state).toBe("closed");
    fail(most, 1);
    expect(most.state).toBe("open");
  });

  test("forgets what has left the window, and nothing that is in it", () => {
    const server = byShare();
    fail(server, 15);
    server.now += 8_999;
    goWell(server, 1);
    fail(server, 4);
    expect(server.state).toBe("open");
    const later = byShare();
    fail(later, 15);
    later.now += 10_000;
    fail(later, 19);
    expect(later.state).toBe("closed");
  });

  test("has forgotten everything once a probe went well", () => {
    const server = byShare();
    fail(server, 20);
    server.now += 30_000;
    server.claim();
    server.succeed();
    fail(server, 19);
    expect(server.state).toBe("closed");
  });

  test("each probe that fails doubles the time, up to its bound, and one that goes well ends that", () => {
    const server = byShare({ openForMaxMs: 100_000 });
    fail(server, 20);
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      waits.push(breaker.waitMs(server.row, server.now));
      server.now += 200_000;
      server.claim();
      server.fail();
    }
    expect(waits).toEqual([30_000, 60_000, 100_000, 100_000]);
    server.now += 200_000;
    server.claim();
    server.succeed();
    fail(server, 20);
    expect(breaker.waitMs(server.row, server.now)).toBe(30_000);
  });

  test("is open exactly when a naive count over the same slots says so", () => {
    const step = fc.record({
      ms: fc.integer({ min: 0, max: 3_000 }),
      well: fc.integer({ min: 0, max: 15 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const server = byShare();
        const seen: { slot: number; well: number; failed: number }[] = [];
        for (const { ms, well } of steps) {
          server.now += ms;
          const slot = Math.floor(server.now / 1_000);
          if (well > 0) goWell(server, well);
          server.fail();
          seen.push({ slot, well, failed: 1 });
          const inView = seen.filter((one) => one.slot > slot - 10);
          const failed = inView.length;
          const all = inView.reduce((sum, one) => sum + one.well + 1, 0);
          const isOpen = all >= rate.minimum && failed >= rate.share * all;
          expect(server.state).toBe(isOpen ? "open" : "closed");
          if (isOpen) return;
        }
      }),
    );
  });
});

describe("health", () => {
  const HEALTH: HealthConfig = {
    path: "/",
    intervalMs: 1_000,
    timeoutMs: 100,
    unhealthyAfter: 3,
    healthyAfter: 2,
    statusMin: 200,
    statusMax: 399,
  };
  const check = (row: Float64Array, ...results: boolean[]): boolean => {
    for (const isWell of results) breaker.checked(row, isWell, { health: HEALTH, now: 1 });
    return breaker.isDown(row);
  };

  test("changes after so many checks in a row, and one between begins anew", () => {
    const { row } = new Server();
    expect(check(row, false, false)).toBe(false);
    expect(check(row, true, false, false)).toBe(false);
    expect(check(row, false)).toBe(true);
    expect(check(row, true, false, true)).toBe(true);
    expect(check(row, true)).toBe(false);
  });

  test("is checked at once, and then once in each interval for all that ask", () => {
    const { row } = new Server();
    expect(breaker.claimCheck(row, 500, 1_000)).toBe(true);
    expect([breaker.claimCheck(row, 501, 1_000), breaker.claimCheck(row, 1_499, 1_000)]).toEqual([
      false,
      false,
    ]);
    expect(breaker.claimCheck(row, 1_500, 1_000)).toBe(true);
  });
});
