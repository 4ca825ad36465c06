// The calls of a database binding, as a handler makes them, on a real backend: what is taken, what is refused, and how
// transactions and cursors end.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  SQL_BATCH_MAX,
  SQL_BYTES_MAX,
  SQL_LEASES_MAX,
  SQL_PARAMETER_BYTES_MAX,
  SQL_PARAMETERS_MAX,
  SQL_SCRIPT_BYTES_MAX,
  type DatabaseBackend,
} from "../../sdk/services/database.ts";
import { Streamed, type ServicePort } from "../../sdk/services/service.ts";
import type { Value } from "../../sdk/services/values.ts";
import { ServiceActor } from "../../services/actor.ts";
import { createDatabasePort } from "../../services/database/port.ts";
import type { DatabasePortOptions } from "../../services/database/transactions.ts";
import { openSqlite } from "../../services/database/sqlite.ts";
import { NEVER } from "../contracts/database.ts";

interface Stage extends AsyncDisposable {
  readonly port: ServicePort;
  readonly actor: ServiceActor<DatabaseBackend>;
  held: number;
  holdMax: number;
  call(method: string, ...args: Value[]): Promise<Value>;
  /** As request 7. */
  callAs(request: number, method: string, ...args: Value[]): Promise<Value>;
  open(signal: AbortSignal, ...args: Value[]): Promise<Streamed>;
  count(): Promise<Value>;
}

const NEVER_ENDS: AbortSignal = new AbortController().signal;
const INSERT: readonly Value[] = ["insert into t values (1)", []];

async function stage(options: Partial<DatabasePortOptions> = {}): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), "islet-port-"));
  const actor = new ServiceActor<DatabaseBackend>("main", {
    now: () => performance.now(),
    onHealth: () => undefined,
    onPanic: (error) => expect.fail(String(error)),
  });
  actor.start({
    limits: { concurrency: 10, queue: 100, timeoutMs: 30_000 },
    open: () => openSqlite({ place: { folder } }),
  });
  const port = createDatabasePort({
    actor,
    database: "main",
    caller: "shop",
    ...options,
  });
  const call = (request: number, signal: AbortSignal, method: string, args: readonly Value[]) =>
    port.call(method, args, {
      request,
      signal,
      body: null,
      hold: (bytes) => (made.held += bytes) <= made.holdMax,
    });
  const callAs = async (request: number, method: string, ...args: Value[]): Promise<Value> => {
    const answer = await call(request, NEVER_ENDS, method, args);
    return answer instanceof Streamed ? answer.head : answer;
  };
  const made: Stage = {
    port,
    actor,
    held: 0,
    holdMax: Infinity,
    call: (method, ...args) => callAs(1, method, ...args),
    callAs,
    async open(signal, ...args) {
      const answer = await call(1, signal, "open", args);
      if (answer instanceof Streamed) return answer;
      throw new Error("no stream");
    },
    async count() {
      const [[, , rows] = []] = (await callAs(1, "run", [
        ["select count(*) from t", []],
      ])) as Value[][];
      return rows;
    },
    async [Symbol.asyncDispose]() {
      port.close();
      await actor.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await made.call("exec", "create table t (a)");
  return made;
}

test("results cross as columns, JSON columns, rows and figures", async () => {
  await using at = await stage();
  const [first, second] = (await at.call("run", [
    INSERT,
    ["select a, 'x' as b from t", []],
  ])) as Value[][];
  expect(first).toEqual([[], [], [], [1, 1, expect.any(Number), expect.any(Number)]]);
  expect(second?.slice(0, 3)).toEqual([["a", "b"], [], [[1, "x"]]]);
  expect(await at.call("exec", "select 1; select 2")).toBe(2);
  expect(await at.call("probe")).toMatchObject({ version: expect.stringMatching(/^SQLite/) });
});

describe("what is not as the method takes it", () => {
  let at: Stage;
  beforeAll(async () => {
    at = await stage();
  });
  afterAll(() => at[Symbol.asyncDispose]());

  test.each<[string, string, readonly Value[]]>([
    ["no list", "run", [1]],
    ["an empty batch", "run", [[]]],
    ["a statement that is none", "run", [["select 1"]]],
    ["a statement without parameters", "run", [[["select 1"]]]],
    ["parameters that are no list", "run", [[["select 1", { 0: 1 }]]]],
    ["SQL that is no text", "run", [[[1, []]]]],
    ["a script that is no text", "exec", [1]],
    ["a flag that is none", "begin", [{ readOnly: 1 }]],
    ["a transaction that never was", "within", [1, [INSERT]]],
    ["a transaction that is no number", "commit", ["1"]],
    ["pages of no rows", "open", [INSERT, { rows: 0 }]],
    ["pages of too many rows", "open", [INSERT, { rows: 10_001 }]],
  ])("%s is refused", async (_what, method, args) => {
    await expect(at.call(method, ...args)).rejects.toMatchObject({ code: "SERVICE_INPUT" });
  });

  test("a method that is not in the list is refused", async () => {
    await expect(at.call("constructor")).rejects.toMatchObject({ code: "CALL_INVALID" });
  });
});

test("limits hold just above them and not just below", async () => {
  await using at = await stage();
  const statement = (bytes: number): Value => [[`select '${"x".repeat(bytes - 9)}'`, []]];
  const list = (count: number): string => Array(count).fill("?").join();
  const over = { code: expect.stringMatching(/SERVICE_(TOO_LARGE|INPUT)/) };

  await at.call("run", statement(SQL_BYTES_MAX));
  await expect(at.call("run", statement(SQL_BYTES_MAX + 1))).rejects.toMatchObject(over);

  const script = (bytes: number): string => `select 1; --${"x".repeat(bytes - 12)}`;
  expect(await at.call("exec", script(SQL_SCRIPT_BYTES_MAX))).toBe(1);
  await expect(at.call("exec", script(SQL_SCRIPT_BYTES_MAX + 1))).rejects.toMatchObject(over);

  const batch = (count: number): Value => Array<Value>(count).fill(["select 1", []]);
  expect(await at.call("run", batch(SQL_BATCH_MAX))).toHaveLength(SQL_BATCH_MAX);
  await expect(at.call("run", batch(SQL_BATCH_MAX + 1))).rejects.toMatchObject(over);

  const many = (count: number): Value => [
    [`select 1 in (${list(count)})`, Array<Value>(count).fill(1)],
  ];
  await at.call("run", many(SQL_PARAMETERS_MAX));
  await expect(at.call("run", many(SQL_PARAMETERS_MAX + 1))).rejects.toMatchObject(over);

  const half = SQL_PARAMETER_BYTES_MAX / 2;
  const bytes = (more: number): Value => [
    ["select length(?) + length(?)", [new Uint8Array(half), "x".repeat(half + more)]],
  ];
  await at.call("run", bytes(0));
  await expect(at.call("run", bytes(1))).rejects.toMatchObject(over);
});

test("rows that the endpoint may not hold are refused", async () => {
  await using at = await stage();
  at.holdMax = 1_000;
  const sql = "select hex(zeroblob(?))";
  await at.call("run", [[sql, [100]]]);
  await expect(at.call("run", [[sql, [1_000]]])).rejects.toMatchObject({ code: "MEMORY_LIMIT" });
});

test("a transaction keeps what is committed, and what it did not commit is gone with its request", async () => {
  await using at = await stage();
  const first = await at.callAs(7, "begin", {});
  await at.callAs(7, "within", first, [INSERT]);
  await at.callAs(7, "commit", first);
  await expect(at.callAs(7, "within", first, [INSERT])).rejects.toThrow(/over/);
  const second = await at.callAs(7, "begin", {});
  await at.callAs(7, "within", second, [INSERT]);
  at.port.requestDone(8);
  await at.callAs(7, "within", second, [INSERT]);
  at.port.requestDone(7);
  await expect(at.callAs(7, "within", second, [INSERT])).rejects.toThrow(/over/);
  await expect.poll(() => at.actor.stats().running).toBe(0);
  expect(await at.count()).toEqual([[1]]);
});

test("a transaction that is left alone is rolled back, and a late call is told why", async () => {
  await using at = await stage({ idleMsMax: 30 });
  const id = await at.call("begin", {});
  await at.call("within", id, [INSERT]);
  await expect.poll(() => at.actor.stats().running).toBe(0);
  await expect(at.call("commit", id)).rejects.toMatchObject({
    code: "SERVICE_TIMEOUT",
    message: expect.stringMatching(/left alone.* 30 ms/),
  });
  expect(await at.count()).toEqual([[0]]);
});

test("a rolled back transaction has given its connection back when that is answered", async () => {
  await using at = await stage();
  for (let round = 0; round < 2 * SQL_LEASES_MAX; round++) {
    const id = await at.call("begin", {});
    await at.call("within", id, [INSERT]);
    await at.call("rollback", id);
    expect(at.actor.stats().running).toBe(0);
  }
  expect(await at.count()).toEqual([[0]]);
});

test("statements of a transaction that are given at once run one after the other", async () => {
  await using at = await stage();
  const id = await at.call("begin", {});
  await Promise.all(Array.from({ length: 20 }, () => at.call("within", id, [INSERT])));
  await at.call("commit", id);
  expect(await at.count()).toEqual([[20]]);
});

test("a transaction's statement that takes too long is ended, and the transaction with it", async () => {
  await using at = await stage({ timeoutMs: 1_000 });
  const id = await at.call("begin", {});
  await at.call("within", id, [INSERT]);
  await expect(at.call("within", id, [[NEVER, []]])).rejects.toMatchObject({
    code: "SERVICE_TIMEOUT",
  });
  await expect(at.call("commit", id)).rejects.toMatchObject({ name: "EdgeError" });
  expect(await at.count()).toEqual([[0]]);
});

test("a request that goes away ends the transaction it waits for, and one that runs", async () => {
  await using at = await stage();
  const ids: Value[] = [];
  // SQLite has one writer, and three processes for transactions.
  for (let at1 = 0; at1 < 2; at1++) ids.push(await at.callAs(7, "begin", { readOnly: true }));
  const writer = await at.callAs(7, "begin", {});
  const running = at.callAs(7, "within", writer, [[NEVER, []]]);
  const waiting = at.callAs(7, "begin", {});
  const refused = Promise.all([
    expect(running).rejects.toThrow(),
    expect(waiting).rejects.toMatchObject({ code: "CANCELLED" }),
  ]);
  at.port.requestDone(7);
  await refused;
  await expect.poll(() => at.actor.stats().running).toBe(0);
  await at.call("run", [INSERT]);
});

test("a cursor's pages come one by one until the end, and its connection is free then", async () => {
  await using at = await stage();
  const sql =
    "with recursive a(x) as (select 1 union all select x + 1 from a where x < 5) select x from a";
  const { head, rest } = await at.open(NEVER_ENDS, [sql, []], { rows: 2 });
  expect(head).toEqual([["x"], []]);
  expect(await Array.fromAsync(rest)).toEqual([[[1], [2]], [[3], [4]], [[5]]]);
  await expect.poll(() => at.actor.stats().running).toBe(0);
});

test("a cursor that is wanted no more, or whose request is over, gives its connection back", async () => {
  await using at = await stage();
  const endless = "with recursive a(x) as (select 1 union all select x + 1 from a) select x from a";
  const first = (await at.open(NEVER_ENDS, [endless, []], { rows: 1 })).rest[
    Symbol.asyncIterator
  ]();
  expect(await first.next()).toEqual({ done: false, value: [[1]] });
  await first.return?.();
  await expect.poll(() => at.actor.stats().running).toBe(0);

  const second = (await at.open(NEVER_ENDS, [endless, []], { rows: 1 })).rest[
    Symbol.asyncIterator
  ]();
  await second.next();
  at.port.requestDone(1);
  await expect(second.next()).rejects.toMatchObject({ code: "CANCELLED" });
  await expect.poll(() => at.actor.stats().running).toBe(0);
});

test("a closed port leaves nothing running", async () => {
  await using at = await stage();
  await at.call("begin", { readOnly: true });
  await at.open(NEVER_ENDS, [NEVER.replace("count(*)", "x"), []]);
  expect(at.actor.stats().running).toBe(2);
  at.port.close();
  await expect.poll(() => at.actor.stats().running).toBe(0);
});
