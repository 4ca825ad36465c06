// Bindings when they are published: what follows from what is left out, and what is refused.

import { describe, expect, test } from "vitest";
import { parsePublish } from "../../control/parse.ts";
import type { PublishRequest } from "../../sdk/publish.ts";
import type { Binding } from "../../sdk/services/service.ts";
import { openTestNode, request, type TestNode } from "./node.ts";
import { secret, service } from "./samples.ts";

type Bindings = NonNullable<PublishRequest["bindings"]>;

async function nodeWithServices(): Promise<TestNode> {
  const node = await openTestNode();
  await node.registry.append([
    { op: "service.put", service: service("main-db", { type: "postgres" }) },
    { op: "service.put", service: service("sessions", { type: "redis" }) },
    { op: "service.put", service: service("files", { type: "minio" }) },
  ]);
  return node;
}

function bind(...bindings: Bindings): Partial<PublishRequest> {
  return { bindings };
}

async function refusal(node: TestNode, more: Partial<PublishRequest>): Promise<unknown> {
  const error: unknown = await node.control
    .publish(request("hello", more))
    .catch((e: unknown) => e);
  return error;
}

describe("bindings of a publish", () => {
  test.each<{ asked: Bindings[number]; made: Binding }>([
    {
      asked: { kind: "kv", name: "PAGES" },
      made: { kind: "kv", name: "PAGES", service: "embedded", scope: "hello/pages" },
    },
    {
      asked: { kind: "kv", name: "PAGES", scope: "shared" },
      made: { kind: "kv", name: "PAGES", service: "embedded", scope: "shared" },
    },
    {
      asked: { kind: "cache", name: "C", service: "sessions" },
      made: { kind: "cache", name: "C", service: "sessions", scope: "hello/c" },
    },
    {
      asked: { kind: "database", name: "DB", service: "main-db", scope: "said-by-wrangler" },
      made: { kind: "database", name: "DB", service: "main-db", scope: "" },
    },
    {
      asked: { kind: "database", name: "DB", service: "embedded-postgres", scope: "shop" },
      made: { kind: "database", name: "DB", service: "embedded-postgres", scope: "shop" },
    },
    {
      asked: { kind: "database", name: "DB", service: "embedded-postgres" },
      made: { kind: "database", name: "DB", service: "embedded-postgres", scope: "hello/db" },
    },
    {
      asked: { kind: "storage", name: "S", service: "files" },
      made: { kind: "storage", name: "S", service: "files", scope: "" },
    },
    {
      asked: { kind: "storage", name: "S", service: "files", scope: "bucket" },
      made: { kind: "storage", name: "S", service: "files", scope: "bucket" },
    },
    {
      asked: { kind: "email", name: "MAIL", options: { destination_address: "a@b.c" } },
      made: {
        kind: "email",
        name: "MAIL",
        service: "embedded",
        scope: "",
        options: { destination_address: "a@b.c" },
      },
    },
    {
      asked: { kind: "ratelimit", name: "R", limit: 5, periodSeconds: 10 },
      made: { kind: "ratelimit", name: "R", limit: 5, periodSeconds: 10 },
    },
    {
      asked: { kind: "endpoint", name: "SELF", endpoint: "hello" },
      made: { kind: "endpoint", name: "SELF", endpoint: "hello" },
    },
  ])("fill in what $asked.kind leaves out", async ({ asked, made }) => {
    await using node = await nodeWithServices();
    const result = await node.control.publish(request("hello", bind(asked)));
    expect(result.bindings).toEqual([made]);
    expect(node.registry.get("hello")?.versions[0]?.manifest.bindings).toEqual([made]);
  });

  test("are part of the version, and leave it alone where there are none", async () => {
    await using node = await nodeWithServices();
    const publish = async (more: Partial<PublishRequest>): Promise<string> =>
      (await node.control.publish(request("hello", more))).version;
    const bare = await publish({});
    expect(await publish({ bindings: [], consumers: [] })).toBe(bare);
    const one = await publish(bind({ kind: "kv", name: "A" }));
    const other = await publish(bind({ kind: "kv", name: "B" }));
    expect(new Set([bare, one, other]).size).toBe(3);
  });

  test.each<{ what: string; more: Partial<PublishRequest>; message: string }>([
    {
      what: "an unknown service",
      more: bind({ kind: "kv", name: "PAGES", service: "sesions" }),
      message:
        'PAGES: there is no service "sesions"; there are embedded, embedded-postgres, files, main-db, sessions',
    },
    {
      what: "a kind that the service does not serve",
      more: bind({ kind: "kv", name: "PAGES", service: "main-db" }),
      message: 'PAGES: service "main-db" is of type postgres, which serves database and no kv',
    },
    {
      what: "two of one name",
      more: bind({ kind: "kv", name: "A" }, { kind: "cache", name: "A" }),
      message: "A: the name is taken by another binding",
    },
    {
      what: "one named like a variable",
      more: { ...bind({ kind: "kv", name: "MODE" }), vars: { MODE: "fast" } },
      message: "MODE: the name is taken by a variable",
    },
    {
      what: "an endpoint that is not there",
      more: bind({ kind: "endpoint", name: "AUTH", endpoint: "auth" }),
      message: 'AUTH: there is no endpoint "auth"; there are other',
    },
    {
      what: "a consumer on a service without queues",
      more: { consumers: [{ queue: "jobs", service: "main-db" }] },
      message: 'jobs: service "main-db" is of type postgres, which serves database and no queue',
    },
    {
      what: "a queue consumed twice",
      more: { consumers: [{ queue: "mine" }, { queue: "mine" }] },
      message: "mine: its messages go to this endpoint already",
    },
    {
      what: "a queue that another endpoint consumes",
      more: { consumers: [{ queue: "jobs" }] },
      message: "jobs: its messages go to other already",
    },
  ])("refuse $what with BINDING_INVALID", async ({ more, message }) => {
    await using node = await nodeWithServices();
    await node.control.publish(request("other", { consumers: [{ queue: "jobs" }] }));
    const before = node.registry.revision();
    expect(await refusal(node, more)).toMatchObject({ code: "BINDING_INVALID", message });
    expect(await refusal(node, { ...more, dryRun: true })).toMatchObject({ message });
    expect(node.registry.revision()).toBe(before);
  });

  test("refuse a name that a secret or a binding of the API has", async () => {
    await using node = await nodeWithServices();
    await node.control.publish(request("hello"));
    const record = node.registry.get("hello")?.endpoint;
    if (record === undefined) throw new Error("not published");
    const bound: Binding = { kind: "kv", name: "BOUND", service: "embedded", scope: "x" };
    await node.registry.append([
      { op: "endpoint.put", endpoint: { ...record, bindings: [bound] } },
      { op: "secret.put", secret: secret("hello", "KEY") },
    ]);
    expect(await refusal(node, bind({ kind: "kv", name: "KEY" }))).toMatchObject({
      message: "KEY: the name is taken by a secret",
    });
    expect(await refusal(node, bind({ kind: "kv", name: "BOUND" }))).toMatchObject({
      message: "BOUND: the name is taken by a binding made through the API",
    });
    const { bindings } = await node.control.publish(request("hello"));
    expect(bindings).toEqual([bound]);
  });

  test("refuse a rollback to a version whose service has gone", async () => {
    await using node = await nodeWithServices();
    await node.control.publish(
      request("hello", bind({ kind: "kv", name: "A", service: "sessions" })),
    );
    await node.control.publish(request("hello"));
    await node.registry.append([{ op: "service.delete", id: "id-sessions" }]);
    await expect(node.control.rollback("hello")).rejects.toMatchObject({
      code: "BINDING_INVALID",
      message:
        'A: there is no service "sessions"; there are embedded, embedded-postgres, files, main-db',
    });
  });

  test("refuse a service that goes while the code is checked", async () => {
    await using node = await nodeWithServices();
    const gate = Promise.withResolvers<void>();
    node.checker.gate = gate.promise;
    const more = bind({ kind: "kv", name: "A", service: "sessions" });
    const publishing = refusal(node, more);
    await node.registry.append([{ op: "service.delete", id: "id-sessions" }]);
    gate.resolve();
    expect(await publishing).toMatchObject({ code: "BINDING_INVALID" });
    expect(node.registry.get("hello")).toBeNull();
  });
});

describe("bindings of an upload", () => {
  const upload = (more: object): PublishRequest => parsePublish({ ...request("hello"), ...more });
  const many = (count: number): Bindings =>
    Array.from({ length: count }, (_, at) => ({ kind: "kv", name: `K${at}` }));

  test("are taken as they are written", () => {
    const bindings: Bindings = [
      { kind: "queue", name: "JOBS", scope: "a/b", options: { delivery_delay: 5 } },
      { kind: "ratelimit", name: "R", limit: 1, periodSeconds: 60 },
    ];
    expect(upload({ bindings }).bindings).toEqual(bindings);
  });

  test.each<{ more: object; message: string }>([
    {
      more: { bindings: [{ kind: "kw", name: "A" }] },
      message: "bindings.0.kind: one of database, cache, kv",
    },
    { more: { bindings: [{ kind: "kv", name: "a-b" }] }, message: "bindings.0.name: 1 to 64" },
    { more: { bindings: [{ kind: "kv", name: "A", id: "x" }] }, message: "bindings.0.id: unknown" },
    {
      more: { bindings: [{ kind: "kv", name: "A", scope: "../x" }] },
      message: "bindings.0.scope: letters",
    },
    {
      more: { bindings: [{ kind: "kv", name: "A", scope: "a//b" }] },
      message: "bindings.0.scope: letters",
    },
    {
      more: { bindings: [{ kind: "kv", name: "A", options: { x: 1 } }] },
      message: "bindings.0.options.x: unknown field",
    },
    {
      more: { bindings: [{ kind: "ratelimit", name: "A", limit: 0, periodSeconds: 1 }] },
      message: "bindings.0.limit",
    },
    { more: { bindings: many(65) }, message: "bindings: " },
    { more: { consumers: [{ queue: "q", maxBatchSize: 101 }] }, message: "consumers.0.maxBatch" },
  ])("are refused with the field: $message", ({ more, message }) => {
    expect(() => upload(more)).toThrow(message);
  });

  test("come with as many consumers as the limit", () => {
    const consumers = Array.from({ length: 17 }, (_, at) => ({ queue: `q${at}` }));
    for (const count of [15, 16]) {
      expect(upload({ consumers: consumers.slice(0, count) }).consumers).toHaveLength(count);
    }
    expect(() => upload({ consumers })).toThrow("consumers: ");
  });

  test("may be as many as the limit", async () => {
    await using node = await openTestNode();
    for (const count of [63, 64]) {
      expect(upload({ bindings: many(count) }).bindings).toHaveLength(count);
    }
    await node.control.publish(request("hello", { bindings: many(63) }));
    const record = node.registry.get("hello")?.endpoint;
    if (record === undefined) throw new Error("not published");
    const bound: Binding = { kind: "kv", name: "BOUND", service: "embedded", scope: "x" };
    await node.registry.append([
      { op: "endpoint.put", endpoint: { ...record, bindings: [bound] } },
    ]);
    await node.control.publish(request("hello", { bindings: many(63), message: "again" }));
    expect(await refusal(node, { bindings: many(64) })).toMatchObject({
      message: "K63: an endpoint has 64 bindings at most",
    });
  });
});
