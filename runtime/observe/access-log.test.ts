import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ACCESS_LOG } from "../../sdk/gateway/config.ts";
import { MemoryExchange } from "../../test/isolate/memory-exchange.ts";
import { temporary } from "../../test/temporary.ts";
import { createAccessLine, openAccessLog, type AccessRecord } from "./access-log.ts";

const RECORD: AccessRecord = {
  requestId: "0123abc",
  method: "GET",
  host: "a.test",
  path: "/",
  status: 200,
  outcome: "ok",
  endpoint: "hello",
  consumer: "ann",
  us: 1234,
  bytes: 5,
};

describe("an access line", () => {
  const accessLine = createAccessLine();

  test("holds nothing of the line before it", () => {
    const field = fc.constantFrom("a", "b");
    const record = fc
      .record({
        method: field,
        host: field,
        path: field,
        outcome: field,
        endpoint: field,
        consumer: field,
      })
      .map((some) => ({ ...RECORD, ...some }));
    const number = fc.nat({ max: 2 });
    fc.assert(
      fc.property(record, number, number, number, (some, status, us, bytes) => {
        const all = { ...some, requestId: `${us}`, status, us, bytes };
        const { requestId: id, ...rest } = all;
        expect(JSON.parse(accessLine(all, "t"))).toEqual({ time: "t", id, ...rest });
      }),
      { numRuns: 1_000 },
    );
  });

  test("is what JSON.stringify would say, whatever host and path contain", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (host, path) => {
        const line = accessLine({ ...RECORD, host, path }, "2026-01-02T03:04:05.678Z");
        const { requestId, method, status, outcome, endpoint, consumer, us, bytes } = RECORD;
        const time = "2026-01-02T03:04:05.678Z";
        const twin = {
          time,
          id: requestId,
          method,
          host,
          path,
          status,
          outcome,
          endpoint,
          consumer,
          us,
          bytes,
        };
        expect(JSON.parse(line)).toEqual(twin);
        expect(Object.keys(JSON.parse(line) as object)).toEqual(Object.keys(twin));
      }),
    );
  });

  test("names no consumer where nobody said who asks", () => {
    expect(accessLine({ ...RECORD, consumer: "" }, "t")).not.toContain("consumer");
  });

  test("is one line of printable ASCII", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (path) => {
        expect(accessLine({ ...RECORD, path }, "t")).toMatch(/^[\x20-\x7e]+\n$/);
      }),
    );
  });
});

test("an access log has a share of what went well, all that did not, and changes its lines", () => {
  using folder = temporary();
  const path = join(folder.path, "access.log");
  const log = openAccessLog(path, () => 0.5);
  const exchange = new MemoryExchange({});
  log.configure({ ...ACCESS_LOG, share: 0.5 }, () => "");
  log.write(RECORD, 0, exchange);
  log.write({ ...RECORD, status: 429, outcome: "RATE_LIMITED" }, 0, exchange);
  log.configure({ format: "logfmt", fields: ["address", "us"], share: 0.6 }, () => "10.0.0.1");
  expect(log.wantsAddress).toBe(true);
  log.write(RECORD, 0, exchange);
  log.close();
  const [first, second, ...rest] = readFileSync(path, "utf8").split("\n");
  expect(first).toContain("RATE_LIMITED");
  expect([second, rest]).toEqual(["address=10.0.0.1 us=1234", [""]]);
});
