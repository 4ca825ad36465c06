// Services, endpoints' services and secrets over HTTP: the seeds' shapes, and that no answer holds a secret.

import { describe, expect, test } from "vitest";
import { EdgeError } from "../../sdk/errors.ts";
import { request } from "../control/node.ts";
import { openTestAdmin, type Answer, type TestAdmin } from "./server.ts";

const PASSWORD = "pa55-of-the-database";
const POSTGRES = {
  name: "main-db",
  service_type: "postgresql",
  config: { host: "db", database: "shop", username: "shop", password: PASSWORD },
};

function failure(status: number, code: string, message?: string): object {
  const detail = message === undefined ? { code } : { code, message };
  return { status, body: { ok: false, success: false, error_detail: detail } };
}

async function create(admin: TestAdmin, body: object = POSTGRES): Promise<Answer> {
  return admin.call("POST", "/api/services", body);
}

describe("services of the admin API", () => {
  test("are made, read by id and by name, changed and deleted", async () => {
    await using admin = await openTestAdmin();
    const made = await create(admin);
    expect(made).toMatchObject({
      status: 201,
      body: {
        data: {
          name: "main-db",
          service_type: "postgres",
          config: { host: "db", port: 5_432, ssl_mode: "prefer", pool_size: 10, password: "***" },
          enabled: true,
          state: "created",
          origin: "api",
          endpoints: [],
          created_at: "2026-01-01T00:00:00.000Z",
          updated_at: "2026-01-01T00:00:00.000Z",
        },
      },
    });
    const { id } = made.body.data as { id: string };
    const answers = [
      made,
      await admin.call("GET", "/api/services"),
      await admin.call("GET", `/api/services/${id}`),
      await admin.call("GET", "/api/services/main-db"),
      await admin.call("PUT", `/api/services/${id}`, { name: "db", config: { port: 1 } }),
      await admin.call("GET", "/api/endpoints"),
    ];
    expect(answers[1]?.body.data).toEqual([made.body.data]);
    expect(answers[3]?.body.data).toEqual(made.body.data);
    expect(answers[4]?.body.data).toMatchObject({ name: "db", config: { port: 1, host: "db" } });
    for (const { text } of answers) expect(text).not.toContain(PASSWORD);
    expect(await admin.call("DELETE", "/api/services/db")).toMatchObject({
      status: 200,
      body: { ok: true, data: null },
    });
    expect(await admin.call("GET", `/api/services/${id}`)).toMatchObject(
      failure(404, "SERVICE_NOT_FOUND", "Service not found"),
    );
  });

  test("are activated, deactivated, disabled and enabled", async () => {
    await using admin = await openTestAdmin();
    await create(admin);
    const post = async (verb: string): Promise<unknown> =>
      (await admin.call("POST", `/api/services/main-db/${verb}`)).body.data;
    const state = async (): Promise<unknown> =>
      (await admin.call("GET", "/api/services/main-db")).body.data;
    expect(await post("activate")).toMatchObject({
      name: "main-db",
      service_type: "postgres",
      active: true,
      message: "PostgreSQL service actor started successfully",
    });
    expect(await state()).toMatchObject({ state: "available", enabled: true });
    expect(await post("deactivate")).toMatchObject({
      active: false,
      message: "PostgreSQL service actor stopped",
    });
    expect(await state()).toMatchObject({ state: "deactivated", enabled: false });
    const put = (enabled: boolean): Promise<Answer> =>
      admin.call("PUT", "/api/services/main-db", { enabled });
    expect((await put(true)).body.data).toMatchObject({ state: "created", enabled: true });
    await post("activate");
    expect((await put(true)).body.data).toMatchObject({ state: "available" });
    expect((await put(false)).body.data).toMatchObject({ state: "deactivated" });
    const off = await create(admin, { ...POSTGRES, name: "off", enabled: false });
    expect(off.body.data).toMatchObject({ state: "deactivated", enabled: false });
  });

  test("tell what a test found", async () => {
    await using admin = await openTestAdmin();
    await create(admin);
    const ask = async (): Promise<unknown> =>
      (await admin.call("POST", "/api/services/main-db/test")).body.data;
    const about = { name: "main-db", service_type: "postgres" };
    expect(await ask()).toMatchObject({
      ...about,
      connected: true,
      error: null,
      info: "Test 1.0",
      latency_ms: 1.5,
      message: "Connected to Test 1.0",
    });
    admin.node.probes.answer = new EdgeError("SERVICE_REFUSED", "wrong password");
    expect(await ask()).toMatchObject({
      ...about,
      connected: false,
      error: "wrong password",
      code: "SERVICE_REFUSED",
      info: null,
      latency_ms: null,
    });
    admin.node.probes.answer = new TypeError("a bug");
    expect(await admin.call("POST", "/api/services/main-db/test")).toMatchObject(
      failure(500, "INTERNAL"),
    );
  });

  test.each([
    ["unknown type", { ...POSTGRES, service_type: "ftp" }, 422, "INPUT_INVALID"],
    ["unknown field", { ...POSTGRES, pool: 1 }, 422, "INPUT_INVALID"],
    ["no name", { service_type: "redis" }, 422, "INPUT_INVALID"],
    ["wrong name", { ...POSTGRES, name: "a/b" }, 422, "INPUT_INVALID"],
    ["wrong config", { ...POSTGRES, config: { hots: PASSWORD } }, 422, "INPUT_INVALID"],
    ["taken name", POSTGRES, 409, "SERVICE_EXISTS"],
  ])("refuse %s", async (_what, body, status, code) => {
    await using admin = await openTestAdmin();
    await create(admin);
    const answer = await create(admin, body);
    expect(answer).toMatchObject(failure(status, code));
    expect(answer.text).not.toContain(PASSWORD);
    expect(JSON.stringify(admin.reported)).not.toContain(PASSWORD);
  });
});

describe("services of an endpoint", () => {
  test("are bound by alias, listed beside those of its version, and taken away", async () => {
    await using admin = await openTestAdmin();
    const bindings = [{ kind: "kv", name: "PAGES" } as const];
    await admin.node.control.publish(request("hello", { bindings }));
    const { id } = (await create(admin)).body.data as { id: string };
    const path = "/api/endpoints/hello/services";
    const body = { service_id: id, pool_id: "DB" };
    const bound = {
      pool_id: "DB",
      kind: "database",
      service: "main-db",
      service_id: id,
      scope: "",
      source: "api",
    };
    expect(await admin.call("POST", path, body)).toMatchObject({
      status: 201,
      body: { data: bound },
    });
    expect((await admin.call("GET", path)).body.data).toEqual([
      {
        pool_id: "PAGES",
        kind: "kv",
        service: "embedded",
        service_id: null,
        scope: "hello/pages",
        source: "version",
      },
      bound,
    ]);
    const { data } = (await admin.call("GET", "/api/services/main-db")).body;
    expect(data).toMatchObject({ endpoints: ["hello"] });
    expect(await admin.call("DELETE", "/api/services/main-db")).toMatchObject(
      failure(409, "SERVICE_IN_USE", "main-db is used by hello"),
    );
    expect(await admin.call("POST", path, body)).toMatchObject(failure(422, "BINDING_INVALID"));
    expect(await admin.call("DELETE", `${path}/${id}`)).toMatchObject({ status: 200 });
    expect(await admin.call("DELETE", `${path}/${id}`)).toMatchObject(
      failure(404, "SERVICE_NOT_FOUND"),
    );
    expect(await admin.call("DELETE", "/api/services/main-db")).toMatchObject({ status: 200 });
  });

  test("need both ends and their fields", async () => {
    await using admin = await openTestAdmin();
    await admin.node.control.publish(request("hello"));
    await create(admin);
    const post = (endpoint: string, body: object): Promise<Answer> =>
      admin.call("POST", `/api/endpoints/${endpoint}/services`, body);
    const body = { service_id: "main-db", pool_id: "DB" };
    expect(await post("none", body)).toMatchObject(failure(404, "ENDPOINT_NOT_FOUND"));
    expect(await post("hello", { ...body, service_id: "x" })).toMatchObject(
      failure(404, "SERVICE_NOT_FOUND"),
    );
    expect(await post("hello", { pool_id: "DB" })).toMatchObject(failure(422, "INPUT_INVALID"));
    expect(await post("hello", { ...body, pool_id: "a-b" })).toMatchObject(
      failure(422, "INPUT_INVALID"),
    );
  });
});

describe("secrets of the admin API", () => {
  test("are put, listed without their values, put many at once, and deleted", async () => {
    await using admin = await openTestAdmin();
    await admin.node.control.publish(request("hello"));
    const answers = [
      await admin.call("PUT", "/api/secrets", { endpoint: "hello", name: "KEY", value: PASSWORD }),
      await admin.call("POST", "/api/secrets", { secrets: { A: PASSWORD, B: PASSWORD } }),
      await admin.call("GET", "/api/secrets?endpoint=hello"),
      await admin.call("GET", "/api/secrets"),
      await admin.call("GET", "/api/endpoints/hello"),
      await admin.call("GET", "/api/endpoints/hello/versions"),
    ];
    const updated_at = "2026-01-01T00:00:00.000Z";
    expect(answers.map(({ body }) => body.data).slice(0, 4)).toEqual([
      { name: "KEY", endpoint: "hello" },
      { endpoint: null, names: ["A", "B"] },
      [{ name: "KEY", endpoint: "hello", updated_at }],
      [
        { name: "A", endpoint: null, updated_at },
        { name: "B", endpoint: null, updated_at },
      ],
    ]);
    for (const { text } of answers) expect(text).not.toContain(PASSWORD);
    await admin.call("POST", "/api/secrets", { secrets: { A: null } });
    expect((await admin.call("GET", "/api/secrets")).body.data).toHaveLength(1);
    await admin.call("DELETE", "/api/secrets/KEY?endpoint=hello");
    expect((await admin.call("GET", "/api/secrets?endpoint=hello")).body.data).toEqual([]);
    expect(await admin.call("DELETE", "/api/secrets/KEY?endpoint=hello")).toMatchObject(
      failure(404, "SECRET_NOT_FOUND"),
    );
  });

  test("are refused without showing their values", async () => {
    await using admin = await openTestAdmin();
    for (const body of [
      { name: "a-b", value: PASSWORD },
      { name: "A", value: [PASSWORD] },
      { name: "A", value: PASSWORD, endpoint: "none" },
      { name: "A", vlaue: PASSWORD },
    ]) {
      const answer = await admin.call("PUT", "/api/secrets", body);
      expect(answer.body.ok).toBe(false);
      expect(answer.text).not.toContain(PASSWORD);
    }
    expect(await admin.call("DELETE", "/api/secrets/A")).toMatchObject(
      failure(404, "SECRET_NOT_FOUND"),
    );
  });

  test("of the node that a service uses stay", async () => {
    await using admin = await openTestAdmin();
    await admin.call("PUT", "/api/secrets", { name: "PG", value: PASSWORD });
    const config = { ...POSTGRES.config, password: "${secret:PG}" };
    const made = await create(admin, { ...POSTGRES, config });
    expect(made.body.data).toMatchObject({ config: { password: "${secret:PG}" } });
    expect(await admin.call("DELETE", "/api/secrets/PG")).toMatchObject(
      failure(409, "SECRET_IN_USE", "PG is used by main-db"),
    );
  });
});
