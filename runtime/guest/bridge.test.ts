// What the guest's end of the bridge keeps to itself: how often it reports, and how much.

import { beforeEach, describe, expect, test } from "vitest";
import {
  BODY,
  CELL,
  CELLS_LENGTH,
  ENTER,
  LEAVE,
  OPEN_MAX,
  Records,
  pack,
} from "../../sdk/bridge.ts";
import { LOG_LINE_BYTES_MAX, LOG_LINE_BYTES_MIN } from "../../sdk/limits.ts";
import { createBridge, type Enter } from "./bridge.ts";
import type { IncomingRequest, Platform, Port } from "./port.ts";

const LOG_BYTES = 1_024;
const REQUEST = `GET\nhttp://a.test/\n${BODY.NONE}\nrequest-id\n`;

type Work = (port: Port) => unknown;

let enter: Enter;
let port: Port;
let work: Work;
/** Reports, each as the records in it. */
let reports: { readonly op: string; readonly id: number; readonly payload: string }[][];

const platform: Pick<
  Platform,
  "thaw" | "createEnvironment" | "createRequest" | "takeResponse" | "listensForRejections"
> = {
  thaw: (thawed) => (port = thawed),
  createEnvironment: () => ({ env: {}, services: {} }),
  createRequest: (incoming: IncomingRequest) => incoming,
  listensForRejections: () => false,
  takeResponse: () => ({ status: 200, headers: "", body: null, socket: null }),
};

beforeEach(() => {
  reports = [];
  const cells = new SharedArrayBuffer(CELLS_LENGTH * Int32Array.BYTES_PER_ELEMENT);
  new Int32Array(cells)[CELL.LOG_BYTES] = LOG_BYTES;
  const leave = (_slice: number, _settled: number, packed: string): void => {
    const records = new Records(packed);
    const report: { op: string; id: number; payload: string }[] = [];
    while (records.next()) {
      const { op, id, payload } = records;
      report.push({ op, id, payload });
    }
    reports.push(report);
  };
  const ExternalCopy = class {
    release(): void {}
  };
  const args = { cells, seed: new Uint8Array(32), env: "{}", now: 0 };
  enter = createBridge(
    platform as Platform,
    { ...args, leaveInline: leave, leavePool: leave, ExternalCopy },
    { named: () => ({ fetch: () => work(port) }), names: () => ["default"] },
  );
});

async function send(slice: number, run: Work): Promise<void> {
  work = run;
  enter(1, slice, 0, pack(ENTER.REQUEST, slice * OPEN_MAX, REQUEST));
  await new Promise((resolve) => setTimeout(resolve, 0));
}

function payloads(op: string): string[] {
  return reports.flat().flatMap((record) => (record.op === op ? record.payload : []));
}

describe("promise jobs behind a slice", () => {
  test("that send something in each turn report ever more rarely, and lose nothing", async () => {
    await send(1, async ({ clearTimer }) => {
      for (let turn = 0; turn < 10_000; turn++) {
        clearTimer(turn);
        await Promise.resolve();
      }
    });
    const ids = reports.flat().flatMap(({ op, id }) => (op === LEAVE.TIMER_CLEAR ? id : []));
    expect(ids).toEqual(Array.from({ length: 10_000 }, (_, turn) => turn));
    expect(reports.length).toBeLessThan(20);
  });

  test("report soon again after the host has come in", async () => {
    const chatter: Work = async ({ clearTimer }) => {
      for (let turn = 0; turn < 1_000; turn++) {
        clearTimer(turn);
        await Promise.resolve();
      }
    };
    await send(1, chatter);
    const once = reports.length;
    await send(2, chatter);
    expect(reports.length).toBe(2 * once);
  });
});

describe("answers to calls that come in one batch", () => {
  async function orderOf(
    calls: readonly (readonly [request: number, call: number])[],
  ): Promise<string[]> {
    const order: string[] = [];
    const mine: number[] = [];
    work = async ({ begin }) => {
      const request = mine.length;
      const count = calls.filter(([owner]) => owner === request + 1).length;
      mine.push(request);
      const ask = async (): Promise<void> => {
        const { id, answer } = begin("a.call", "", null);
        await answer;
        order.push(`answer ${id}`);
        await Promise.resolve();
        order.push(`behind ${id}`);
      };
      await Promise.all(Array.from({ length: count }, ask));
    };
    const requests = [...new Set(calls.map(([owner]) => owner))];
    let packed = "";
    for (const request of requests) packed += pack(ENTER.REQUEST, request, REQUEST);
    enter(1, 1, 0, packed);
    await new Promise((resolve) => setTimeout(resolve, 0));
    packed = "";
    for (const [, id] of calls) packed += pack(ENTER.CALL_OK, id, "");
    enter(1, 2, 0, packed);
    await new Promise((resolve) => setTimeout(resolve, 0));
    return order;
  }

  test("and are one request's have their promise jobs together", async () => {
    const order = await orderOf([
      [1, 1],
      [1, 2],
      [1, 3],
    ]);
    expect(order).toEqual(["answer 1", "answer 2", "answer 3", "behind 1", "behind 2", "behind 3"]);
  });

  test("and are of different requests have them one request after the other", async () => {
    const order = await orderOf([
      [1, 1],
      [1, 2],
      [2, 3],
    ]);
    expect(order).toEqual(["answer 1", "answer 2", "behind 1", "behind 2", "answer 3", "behind 3"]);
  });
});

describe("log lines of a request", () => {
  test("leave as far as the host would take them, and one more for its mark", async () => {
    const line = "x".repeat(LOG_LINE_BYTES_MIN * 2);
    const most = LOG_BYTES / line.length;
    for (const [slice, count, left] of [
      [1, most - 1, most - 1],
      [2, most, most],
      [3, most + 1, most + 1],
      [4, most + 100, most + 1],
    ] as const) {
      reports = [];
      await send(slice, ({ log }) => {
        for (let i = 0; i < count; i++) log("info", line);
      });
      expect(payloads(LEAVE.LOG).length).toBe(left);
    }
  });

  test("count for something when they are empty", async () => {
    await send(1, ({ log }) => {
      for (let i = 0; i < 100_000; i++) log("info", "");
    });
    expect(payloads(LEAVE.LOG).length).toBe(LOG_BYTES / LOG_LINE_BYTES_MIN + 1);
  });

  test("cross no longer than the host prints them", async () => {
    await send(1, ({ log }) => log("info", "x".repeat(LOG_LINE_BYTES_MAX * 100)));
    expect(payloads(LEAVE.LOG)).toEqual([`info\n${"x".repeat(LOG_LINE_BYTES_MAX + 1)}`]);
  });
});
