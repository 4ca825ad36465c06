// Calls of an operator in a worker, on its embedded services: what takes too long.

import { expect, test } from "vitest";
import { packValue, unpackValue, type Value } from "../../sdk/services/values.ts";
import { callAsOperator } from "../../runtime/worker/services/operator-calls.ts";
import { ServiceHub } from "../../runtime/worker/services/hub.ts";
import { MIGRATIONS_TABLE } from "../../sdk/services/database.ts";
import { NEVER } from "../contracts/database.ts";
import { temporary } from "../temporary.ts";

test("a call that takes too long ends as such, and a migration leaves nothing", async () => {
  using folder = temporary();
  const hub = new ServiceHub({
    records: () => [],
    secretsKey: () => "",
    configOf: () => ({}),
    folder: folder.path,
    addressKey: new Uint8Array(32),
    now: () => performance.now(),
    log: { write: () => undefined, flush: () => undefined },
  });
  const call = async (timeoutMs: number | undefined, method: string, ...args: Value[]) => {
    const where = { kind: "database", service: "embedded", scope: "shop", method } as const;
    const { text } = packValue(args);
    const answer = await callAsOperator(hub, where, { text, bytes: null }, timeoutMs);
    return unpackValue(answer.text, null);
  };
  const script = `create table pets (name text); ${NEVER}`;
  await expect(call(500, "migrate", MIGRATIONS_TABLE, "1.sql", script)).rejects.toMatchObject({
    code: "SERVICE_TIMEOUT",
    message: "embedded did not answer within the 500 ms that an operator's call has.",
  });
  expect(await call(undefined, "applied", MIGRATIONS_TABLE)).toEqual([]);
  expect(await call(undefined, "migrate", MIGRATIONS_TABLE, "1.sql", "create table pets (a)")).toBe(
    true,
  );
  await hub.close();
});
