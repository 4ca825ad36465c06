// Services and secrets over a real registry: what is stored, shown, given to backends, and refused.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { hasSecrets, SECRET_BYTES_MAX, unreadableSecrets } from "../../control/secrets/secrets.ts";
import { createVault } from "../../control/secrets/vault.ts";
import { parseConfig, parseType } from "../../control/services/config.ts";
import { MASK, openConfig, showConfig } from "../../control/services/sealing.ts";
import { EdgeError, type JsonObject } from "../../sdk/errors.ts";
import type { ServiceRecord } from "../../sdk/services/service.ts";
import { openTestNode, request, type TestNode } from "./node.ts";
import { service } from "./samples.ts";

const PASSWORD = "pa55-of-the-database";
const POSTGRES = { host: "db.internal", database: "shop", username: "shop", password: PASSWORD };

function code(name: string, message?: string): object {
  const wanted = message === undefined ? { code: name } : { code: name, message };
  return expect.objectContaining(wanted) as object;
}

/** As a backend gets it. */
function opened(node: TestNode, record: ServiceRecord): JsonObject {
  return openConfig(record, { vault: node.vault, secrets: node.registry.secrets(null) });
}

function addPostgres(node: TestNode, config: JsonObject = {}): Promise<ServiceRecord> {
  return node.services.create({
    name: "main-db",
    type: "postgresql",
    config: { ...POSTGRES, ...config },
  });
}

describe("configuration", () => {
  test.each([
    ["embedded", {}, { default_ttl_secs: 3_600, max_entries: 10_000 }],
    [
      "postgres",
      { host: "embedded" },
      {
        host: "embedded",
        port: 5_432,
        database: "",
        username: "",
        ssl_mode: "prefer",
        pool_size: 10,
        statement_timeout_ms: 30_000,
        read_only: false,
      },
    ],
    ["sqlite", { path: "a.db" }, { path: "a.db", create_if_missing: true }],
    [
      "postgresql",
      POSTGRES,
      {
        ...POSTGRES,
        port: 5_432,
        ssl_mode: "prefer",
        pool_size: 10,
        statement_timeout_ms: 30_000,
        read_only: false,
      },
    ],
    [
      "redis",
      { host: "r" },
      {
        host: "r",
        port: 6_379,
        database: 0,
        use_tls: false,
        pool_size: 10,
        default_ttl_secs: 3_600,
      },
    ],
    [
      "memcached",
      { servers: ["m:11211", "[::1]:1"] },
      { servers: ["m:11211", "[::1]:1"], pool_size: 5, timeout_ms: 1_000, default_ttl_secs: 3_600 },
    ],
    [
      "s3",
      { endpoint: "s3:9000", access_key: "a", secret_key: "s", bucket: "b" },
      {
        endpoint: "s3:9000",
        access_key: "a",
        secret_key: "s",
        bucket: "b",
        use_ssl: true,
        region: "us-east-1",
        path_style: true,
      },
    ],
    [
      "smtp",
      { host: "m", from_address: "a@b.c" },
      {
        host: "m",
        from_address: "a@b.c",
        port: 587,
        encryption: "starttls",
        timeout_seconds: 30,
        max_retries: 3,
        retry_delay_ms: 1_000,
        pool_size: 5,
      },
    ],
  ])("of %s has the seeds' defaults, also when it is read again", (type, given, whole) => {
    expect(parseConfig(parseType(type), given)).toEqual(whole);
    expect(parseConfig(parseType(type), whole)).toEqual(whole);
  });

  test.each([
    ["email", { host: "m", from_address: "a", encryption: "tls" }, { port: 465 }],
    ["email", { host: "m", from_address: "a", encryption: "none" }, { port: 25 }],
    ["redis", { sentinels: ["a:1"], sentinel_master: "m" }, { host: "", sentinels: ["a:1"] }],
    ["redis", { cluster: ["a:1"], host: "" }, { host: "", cluster: ["a:1"] }],
    [
      "minio",
      { endpoint: "http://s:1", access_key: "a", secret_key: "s", bucket: "b" },
      { use_ssl: false },
    ],
  ])("of %s follows from what is given: %j", (type, given, part) => {
    expect(parseConfig(parseType(type), given)).toMatchObject(part);
  });

  test.each([
    ["postgres", { ...POSTGRES, hots: "x" }, "config.hots: unknown field"],
    ["postgres", { ...POSTGRES, port: 0 }, "config.port: "],
    ["postgres", { ...POSTGRES, port: 65_536 }, "config.port: "],
    ["postgres", { ...POSTGRES, ssl_mode: "maybe" }, "config.ssl_mode: "],
    ["postgres", { host: "a" }, "config.database: "],
    ["postgres", { host: "embedded", database: "a" }, "config.database: the embedded Postgres"],
    ["postgres", { host: "embedded", password: "a" }, "config.password: the embedded Postgres"],
    ["postgres", { ...POSTGRES, host: "x${secret:A}" }, "config.host: ${secret:NAME} stands for"],
    ["redis", {}, "config.host: one of host, sentinels and cluster"],
    ["redis", { host: "a", cluster: ["a:1"] }, "config.host: one of host, sentinels and cluster"],
    ["redis", { sentinels: ["a:1"] }, "config.sentinel_master: sentinels and sentinel_master"],
    ["memcached", { servers: [] }, "config.servers: "],
    ["memcached", { servers: ["m"] }, "config.servers.0: HOST:PORT"],
    ["embedded", { concurrency: 0 }, "config.concurrency: "],
    ["embedded", { concurrency: 1_001 }, "config.concurrency: "],
  ])("of %s refuses %j with INPUT_INVALID", (type, given, message) => {
    expect(() => parseConfig(parseType(type), given)).toThrow(
      expect.objectContaining({ code: "INPUT_INVALID", message: expect.stringContaining(message) }),
    );
  });

  test("of a type that is none is refused with those that are", () => {
    expect(() => parseType("mysql")).toThrow(
      'service_type: "mysql" is no type of service; there are embedded, sqlite, postgres, redis, ' +
        "memcached, minio, email, postgresql, s3, smtp",
    );
    expect(parseType("S3")).toBe("minio");
  });
});

describe("services", () => {
  test("are sealed where they are stored, masked where they are shown, and open for backends", async () => {
    await using node = await openTestNode();
    const record = await addPostgres(node);
    expect(record).toMatchObject({ type: "postgres", state: "created" });
    expect(node.fleet.log).toEqual(["announce 1"]);
    expect(showConfig(record.config)).toMatchObject({ host: "db.internal", password: MASK });
    expect(opened(node, record)).toMatchObject(POSTGRES);
    for (const file of ["data.mdb"]) {
      const bytes = readFileSync(join(node.folder, file));
      expect([bytes.includes("db.internal"), bytes.includes(PASSWORD)]).toEqual([true, false]);
    }
  });

  test("keep a secret that is sent back masked, and take a new one", async () => {
    await using node = await openTestNode();
    const { id } = await addPostgres(node);
    const same = await node.services.update(id, { config: { password: MASK, port: 5_433 } });
    expect(opened(node, same)).toMatchObject({ password: PASSWORD, port: 5_433 });
    const other = await node.services.update("main-db", { config: { password: "other" } });
    expect(opened(node, other)).toMatchObject({ password: "other", port: 5_433 });
    const none = await node.services.update(id, { config: { password: null } });
    expect(none.config).not.toHaveProperty("password");
    const masked = node.services.update(id, { config: { password: MASK } });
    await expect(masked).rejects.toEqual(
      code("INPUT_INVALID", "config.password: *** stands for what is stored, and nothing is"),
    );
  });

  test("merge what is sent into what is there", async () => {
    await using node = await openTestNode();
    const { id } = await node.services.create({
      name: "mail",
      type: "smtp",
      config: { host: "m", from_address: "a@b.c", reply_to: "r@b.c" },
    });
    const { config } = await node.services.update(id, {
      config: { encryption: "tls", reply_to: null },
    });
    expect(config).toMatchObject({ host: "m", encryption: "tls", port: 465 });
    expect(config).not.toHaveProperty("reply_to");
    const refused = node.services.update(id, { config: { host: null } });
    await expect(refused).rejects.toEqual(code("INPUT_INVALID"));
  });

  test("take secrets of the node for fields, which are found when a backend is opened", async () => {
    await using node = await openTestNode();
    const config = { password: "${secret:PG_PASSWORD}" };
    await expect(addPostgres(node, config)).rejects.toEqual(
      code("INPUT_INVALID", 'config: the node has no secret "PG_PASSWORD"; it has none'),
    );
    await node.secrets.put(null, { PG_PASSWORD: "first" });
    const record = await addPostgres(node, config);
    expect(showConfig(record.config)).toMatchObject(config);
    expect(opened(node, record)).toMatchObject({ password: "first" });
    await node.secrets.put(null, { PG_PASSWORD: "second" });
    expect(opened(node, record)).toMatchObject({ password: "second" });
    await expect(node.secrets.put(null, { PG_PASSWORD: null })).rejects.toEqual(
      code("SECRET_IN_USE", "PG_PASSWORD is used by main-db"),
    );
  });

  test("go through their states, each told to the workers", async () => {
    await using node = await openTestNode();
    const { id } = await addPostgres(node);
    for (const state of ["available", "deactivated", "available"] as const) {
      expect((await node.services.update(id, { state })).state).toBe(state);
    }
    await node.services.remove(id);
    expect(() => node.services.find(id)).toThrow(code("SERVICE_NOT_FOUND"));
    expect(node.fleet.log).toEqual([1, 2, 3, 4, 5].map((revision) => `announce ${revision}`));
  });

  test("say of a test what the worker saw", async () => {
    await using node = await openTestNode();
    const { id } = await addPostgres(node);
    expect(await node.services.test(id)).toMatchObject({ connected: true, version: "Test 1.0" });
    node.probes.answer = new EdgeError("SERVICE_REFUSED", "no");
    const refused = { connected: false, code: "SERVICE_REFUSED", message: "no" };
    expect(await node.services.test(id)).toEqual(refused);
  });

  test("that an endpoint uses are neither deleted nor renamed, until it is published without", async () => {
    await using node = await openTestNode();
    await addPostgres(node);
    const more = { bindings: [{ kind: "database", name: "DB", service: "main-db" } as const] };
    await node.control.publish(request("hello", more));
    const inUse = code("SERVICE_IN_USE", "main-db is used by hello");
    await expect(node.services.remove("main-db")).rejects.toEqual(inUse);
    await expect(node.services.update("main-db", { name: "other" })).rejects.toEqual(inUse);
    await node.control.publish(request("hello"));
    expect((await node.services.update("main-db", { name: "other" })).name).toBe("other");
    await node.services.remove("other");
  });

  test.each([
    ["", "INPUT_INVALID"],
    [" a", "INPUT_INVALID"],
    ["a/b", "INPUT_INVALID"],
    ["a".repeat(64), "INPUT_INVALID"],
    ["embedded", "INPUT_INVALID"],
    ["embedded-postgres", "INPUT_INVALID"],
    ["00000000-0000-0000-0000-000000000000", "INPUT_INVALID"],
    ["main-db", "SERVICE_EXISTS"],
  ])("are not called %j: %s", async (name, expected) => {
    await using node = await openTestNode();
    const { id } = await addPostgres(node);
    const input = { name, type: "redis", config: { host: "r" } };
    await expect(node.services.create(input)).rejects.toEqual(code(expected));
    if (name === "main-db") return;
    await expect(node.services.update(id, { name })).rejects.toEqual(code(expected));
  });

  test("are a hundred at most", async () => {
    await using node = await openTestNode();
    const puts = Array.from({ length: 98 }, (_, at) => ({
      op: "service.put" as const,
      service: service(`s${at}`),
    }));
    await node.registry.append(puts);
    const create = (name: string): Promise<ServiceRecord> =>
      node.services.create({ name, type: "redis", config: { host: "r" } });
    await create("ninety nine");
    await create("Hundred");
    await expect(create("more")).rejects.toEqual(code("INPUT_INVALID"));
  });
});

describe("bindings made through the API", () => {
  test("stay when another version is published, and go when they are taken away", async () => {
    await using node = await openTestNode();
    await node.control.publish(request("hello"));
    const record = await addPostgres(node);
    const made = await node.bindings.bind("hello", record, { alias: "DB" });
    expect(made).toEqual({ kind: "database", name: "DB", service: "main-db", scope: "" });
    const published = await node.control.publish(request("hello", { message: "again" }));
    expect(published.bindings).toEqual([made]);
    await expect(node.services.remove("main-db")).rejects.toEqual(code("SERVICE_IN_USE"));
    await node.bindings.unbind("hello", record);
    expect(node.registry.get("hello")?.endpoint).not.toHaveProperty("bindings");
    const none = code("SERVICE_NOT_FOUND", "main-db is not bound to hello at all");
    await expect(node.bindings.unbind("hello", record)).rejects.toEqual(none);
  });

  test("are not lost to a publish under way", async () => {
    await using node = await openTestNode();
    await node.control.publish(request("hello"));
    const record = await addPostgres(node);
    const gate = Promise.withResolvers<void>();
    node.checker.gate = gate.promise;
    const publishing = node.control.publish(request("hello", { message: "again" }));
    const binding = node.bindings.bind("hello", record, { alias: "DB" });
    const sealing = node.secrets.put("hello", { KEY: "a" });
    gate.resolve();
    await Promise.all([publishing, binding, sealing]);
    expect(node.registry.get("hello")?.endpoint.bindings).toHaveLength(1);
    expect(node.registry.secrets("hello")).toHaveLength(1);
  });

  test("are refused where the name is taken or the kind not served", async () => {
    await using node = await openTestNode();
    const bindings = [{ kind: "kv", name: "PAGES" } as const];
    await node.control.publish(request("hello", { bindings, vars: { MODE: 1 } }));
    const record = await addPostgres(node);
    const bind = (alias: string, kind?: "kv"): Promise<unknown> =>
      node.bindings.bind("hello", record, kind === undefined ? { alias } : { alias, kind });
    for (const alias of ["PAGES", "MODE"]) {
      await expect(bind(alias)).rejects.toEqual(code("BINDING_INVALID"));
    }
    await expect(bind("DB", "kv")).rejects.toEqual(code("BINDING_INVALID"));
    await expect(bind("a-b")).rejects.toEqual(code("INPUT_INVALID"));
    await bind("DB");
    await expect(bind("DB")).rejects.toEqual(code("BINDING_INVALID"));
    await expect(node.bindings.bind("none", record, { alias: "A" })).rejects.toEqual(
      code("ENDPOINT_NOT_FOUND"),
    );
  });
});

describe("secrets", () => {
  test("are listed by name, stored sealed and told to the workers", async () => {
    await using node = await openTestNode();
    await node.control.publish(request("hello"));
    expect(hasSecrets(node.registry)).toBe(false);
    await node.secrets.put("hello", { B: "t0p-secret", A: "2" });
    expect(node.secrets.list("hello").map(({ name }) => name)).toEqual(["A", "B"]);
    expect(node.registry.changedSince(node.registry.revision() - 1)).toEqual(["hello"]);
    expect(node.fleet.log.at(-1)).toBe(`announce ${node.registry.revision()}`);
    const [, sealed] = node.registry.secrets("hello");
    if (sealed === undefined) throw new Error("not stored");
    expect(node.vault.unseal(sealed.sealed, sealed)).toBe("t0p-secret");
    expect(readFileSync(join(node.folder, "data.mdb")).includes("t0p-secret")).toBe(false);
    expect(hasSecrets(node.registry)).toBe(true);
  });

  test("that do not change change nothing", async () => {
    await using node = await openTestNode();
    await node.secrets.put(null, { A: "1" });
    const before = node.registry.revision();
    await node.secrets.put(null, { A: "1" });
    expect(node.registry.revision()).toBe(before);
    await node.secrets.put(null, { A: "2" });
    expect(node.registry.revision()).toBe(before + 1);
  });

  test("are put together or not at all", async () => {
    await using node = await openTestNode();
    const put = node.secrets.put(null, { A: "1", "b-c": "2" });
    await expect(put).rejects.toEqual(code("INPUT_INVALID"));
    await expect(node.secrets.put(null, { A: "1", B: null })).rejects.toEqual(
      code("SECRET_NOT_FOUND", "There is no secret B"),
    );
    expect(node.secrets.list(null)).toEqual([]);
  });

  test("are refused where the handler has another thing of that name, or nobody is there", async () => {
    await using node = await openTestNode();
    const bindings = [{ kind: "kv", name: "PAGES" } as const];
    await node.control.publish(request("hello", { bindings, vars: { MODE: 1 } }));
    for (const [name, what] of [
      ["PAGES", "a binding"],
      ["MODE", "a variable"],
    ] as const) {
      const taken = code("BINDING_INVALID", `${name}: the name is taken by ${what}`);
      await expect(node.secrets.put("hello", { [name]: "x" })).rejects.toEqual(taken);
    }
    const nobody = code("ENDPOINT_NOT_FOUND");
    await expect(node.secrets.put("none", { A: "x" })).rejects.toEqual(nobody);
    expect(() => node.secrets.list("none")).toThrow(nobody);
  });

  test("have a size and a number", async () => {
    await using node = await openTestNode();
    const sized = (bytes: number): Promise<void> =>
      node.secrets.put(null, { A: "x".repeat(bytes) });
    for (const bytes of [1, SECRET_BYTES_MAX - 1, SECRET_BYTES_MAX]) await sized(bytes);
    for (const bytes of [0, SECRET_BYTES_MAX + 1]) {
      await expect(sized(bytes)).rejects.toEqual(code("INPUT_INVALID"));
    }
    const many = Object.fromEntries(Array.from({ length: 126 }, (_, at) => [`N${at}`, "x"]));
    await node.secrets.put(null, many);
    await node.secrets.put(null, { LAST: "x" });
    await expect(node.secrets.put(null, { MORE: "x" })).rejects.toEqual(code("INPUT_INVALID"));
    await node.secrets.put(null, { MORE: "x", LAST: null });
  });

  test("that another key sealed are named", async () => {
    await using node = await openTestNode();
    await node.control.publish(request("hello"));
    await node.secrets.put("hello", { A: "1" });
    await node.secrets.put(null, { B: "2" });
    await addPostgres(node);
    expect(unreadableSecrets(node.registry, node.vault)).toEqual([]);
    expect(unreadableSecrets(node.registry, createVault(Buffer.alloc(32)))).toEqual([
      "secret B of the node",
      "secret A of hello",
      "password of service main-db",
    ]);
  });

  test("go with their endpoint, which keeps its name while it has them", async () => {
    await using node = await openTestNode();
    const draft = { description: "", enabled: true, routes: [], draft: null };
    await node.control.create({ name: "hello", ...draft });
    await node.secrets.put("hello", { A: "1" });
    const renaming = node.control.update("hello", { name: "other" });
    await expect(renaming).rejects.toEqual(code("INPUT_INVALID"));
    await node.control.remove("hello");
    await node.control.create({ name: "hello", ...draft });
    expect(node.secrets.list("hello")).toEqual([]);
  });

  test("stay when a first publish is taken back", async () => {
    await using node = await openTestNode();
    const draft = { description: "", enabled: true, routes: [], draft: null };
    await node.control.create({ name: "hello", ...draft });
    await node.secrets.put("hello", { A: "1" });
    node.fleet.failAnnounce = new EdgeError("PUBLISH_TIMEOUT");
    await expect(node.control.publish(request("hello"))).rejects.toEqual(code("PUBLISH_TIMEOUT"));
    expect(node.registry.get("hello")?.deployment).toBeNull();
    expect(node.secrets.list("hello")).toHaveLength(1);
  });
});
