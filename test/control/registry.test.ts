// The registry over a real LMDB environment: durability of meaning (view = fold of log), what a damaged file
// does, and what readers in other processes see.

import { spawnSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { open } from "lmdb";
import { describe, expect, test } from "vitest";
import { openStore, SCHEMA } from "../../control/registry/lmdb.ts";
import { openRegistry, openRegistryReader } from "../../control/registry/registry.ts";
import { applyChange, contentOf, fold, memoryRows } from "../../control/registry/view.ts";
import type { Change, ChangeOp } from "../../sdk/records.ts";
import { deployment, endpoint, secret, service, testClock, version } from "./samples.ts";
import { temporary } from "../temporary.ts";

const NAMES = ["a", "a-b", "b"] as const;
const IDS = ["v1", "v2", "v3"] as const;

/** One step that may or may not make sense in the view it meets. */
const opOf: fc.Arbitrary<(generation: number) => ChangeOp> = fc
  .tuple(fc.nat(8), fc.constantFrom(...NAMES), fc.constantFrom(...IDS), fc.string())
  .map(([kind, name, id, text]) => (generation: number): ChangeOp => {
    if (kind === 0) return { op: "endpoint.put", endpoint: endpoint(name, { description: text }) };
    if (kind === 1) return { op: "endpoint.delete", name };
    if (kind === 2) return { op: "version.put", version: version(name, id) };
    if (kind === 3) return { op: "version.delete", endpoint: name, id };
    if (kind === 4) return { op: "service.put", service: service(id, { id: name }) };
    if (kind === 5) return { op: "service.delete", id: name };
    const owner = id === "v1" ? null : name;
    if (kind === 6) return { op: "secret.put", secret: secret(owner, "KEY", text) };
    if (kind === 7) return { op: "secret.delete", endpoint: owner, name: "KEY" };
    return { op: "deployment.put", deployment: deployment(name, generation, id) };
  });

describe("registry", () => {
  test("stores the view that its log folds to, whatever is appended and refused", async () => {
    const steps = fc.array(fc.array(opOf, { minLength: 1, maxLength: 4 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 40 }), async (batches, changesKept) => {
        using folder = temporary();
        const limits = { changesKept, bytesKept: 1_000_000 };
        const registry = await openRegistry({ dir: folder.path, clock: testClock(), limits });
        const accepted: Change[] = [];
        let generation = 0;
        for (const batch of batches) {
          const ops = batch.map((op) => op((generation += 1)));
          const revision = await registry.append(ops).catch(() => null);
          if (revision === null) continue;
          expect(revision).toBe(accepted.length + 1);
          accepted.push({ revision, at: "", ops });
        }
        await registry.close();
        const store = openStore({ dir: folder.path, readOnly: true });
        store.verify();
        expect(contentOf(store.view)).toBe(contentOf(fold(accepted)));
        await store.close();
      }),
      { numRuns: 40 },
    );
  });

  test("changes nothing when one step of an append makes no sense", async () => {
    using folder = temporary();
    const registry = await openRegistry({ dir: folder.path, clock: testClock() });
    const ops: ChangeOp[] = [
      { op: "endpoint.put", endpoint: endpoint("a") },
      { op: "deployment.put", deployment: deployment("a", 1, "missing") },
    ];
    await expect(registry.append(ops)).rejects.toThrow("unknown version");
    expect(registry.revision()).toBe(0);
    expect(registry.all()).toEqual([]);
    await registry.close();
  });

  test("tells of an endpoint's secrets as of its changes, of services to nobody in particular", async () => {
    using folder = temporary();
    const registry = await openRegistry({ dir: folder.path, clock: testClock() });
    await registry.append([{ op: "endpoint.put", endpoint: endpoint("a") }]);
    await registry.append([{ op: "secret.put", secret: secret("a", "KEY") }]);
    await registry.append([
      { op: "secret.put", secret: secret(null, "KEY") },
      { op: "service.put", service: service("z") },
      { op: "service.put", service: service("b") },
    ]);
    expect(registry.changedSince(1)).toEqual(["a"]);
    expect(registry.changedSince(2)).toEqual([]);
    expect(registry.services().map(({ name }) => name)).toEqual(["b", "z"]);
    expect(registry.secrets("a")).toEqual([secret("a", "KEY")]);
    expect(registry.secrets(null)).toEqual([secret(null, "KEY")]);
    await registry.append([{ op: "endpoint.delete", name: "a" }]);
    expect([registry.secrets("a"), registry.secrets(null).length]).toEqual([[], 1]);
    await registry.close();
  });

  test.each<{ what: string; op: ChangeOp; message: string }>([
    {
      what: "a second service of one name",
      op: { op: "service.put", service: service("main", { id: "other" }) },
      message: "two services of one name",
    },
    {
      what: "a secret of an endpoint that is not there",
      op: { op: "secret.put", secret: secret("missing", "KEY") },
      message: "secret of an unknown endpoint",
    },
  ])("refuses $what", async ({ op, message }) => {
    using folder = temporary();
    const registry = await openRegistry({ dir: folder.path, clock: testClock() });
    await registry.append([{ op: "service.put", service: service("main") }]);
    await expect(registry.append([op])).rejects.toThrow(message);
    await registry.close();
  });

  test("never gives a generation twice, also after delete and re-creation", async () => {
    using folder = temporary();
    const registry = await openRegistry({ dir: folder.path, clock: testClock() });
    const create: ChangeOp[] = [
      { op: "endpoint.put", endpoint: endpoint("a") },
      { op: "version.put", version: version("a", "v1") },
    ];
    await registry.append([
      ...create,
      { op: "deployment.put", deployment: deployment("a", 7, "v1") },
    ]);
    await registry.append([{ op: "endpoint.delete", name: "a" }]);
    expect(registry.generation("a")).toBe(7);
    const again: ChangeOp = { op: "deployment.put", deployment: deployment("a", 7, "v1") };
    await expect(registry.append([...create, again])).rejects.toThrow("generation");
    await registry.close();
  });

  test("tells what changed since a revision, and null when the log no longer reaches back", async () => {
    using folder = temporary();
    const limits = { changesKept: 3, bytesKept: 1_000_000 };
    const registry = await openRegistry({ dir: folder.path, clock: testClock(), limits });
    for (const name of ["a", "b", "c", "b", "d"]) {
      await registry.append([{ op: "endpoint.put", endpoint: endpoint(name) }]);
    }
    expect(registry.changedSince(5)).toEqual([]);
    expect(registry.changedSince(2)).toEqual(["c", "b", "d"]);
    expect(registry.changedSince(1)).toBeNull();
    await registry.close();
  });

  test("drops changes from a log that is too large in bytes, never the newest", async () => {
    using folder = temporary();
    const limits = { changesKept: 1_000, bytesKept: 4_096 };
    const registry = await openRegistry({ dir: folder.path, clock: testClock(), limits });
    const draft = "x".repeat(10_000);
    for (const name of ["a", "b", "c"]) {
      await registry.append([{ op: "endpoint.put", endpoint: endpoint(name, { draft }) }]);
    }
    expect(registry.changedSince(1)).toBeNull();
    expect(registry.changedSince(2)).toEqual(["c"]);
    await registry.close();
    const again = await openRegistry({ dir: folder.path, clock: testClock(), limits });
    expect(again.all().map((each) => each.endpoint.name)).toEqual(["a", "b", "c"]);
    await again.close();
  });

  test("shows a reader beside it every revision at once", async () => {
    using folder = temporary();
    const registry = await openRegistry({ dir: folder.path, clock: testClock() });
    const reader = openRegistryReader({ dir: folder.path });
    for (let at = 1; at <= 50; at += 1) {
      const revision = await registry.append([
        { op: "endpoint.put", endpoint: endpoint(`e${at}`) },
      ]);
      expect(reader.revision()).toBe(revision);
      expect(reader.get(`e${at}`)?.endpoint.name).toBe(`e${at}`);
    }
    await reader.close();
    await registry.close();
  });

  test("keeps everything across closing and opening", async () => {
    using folder = temporary();
    const registry = await openRegistry({ dir: folder.path, clock: testClock() });
    await registry.append([
      { op: "endpoint.put", endpoint: endpoint("a") },
      { op: "version.put", version: version("a", "v1") },
      { op: "version.put", version: version("a", "v2") },
      { op: "deployment.put", deployment: deployment("a", 1, "v1") },
    ]);
    await registry.append([{ op: "deployment.put", deployment: deployment("a", 2, "v2") }]);
    await registry.close();
    const again = await openRegistry({ dir: folder.path, clock: testClock() });
    expect(again.get("a")?.versions.map((each) => each.id)).toEqual(["v2"]);
    expect(again.deployments("a").map((each) => each.generation)).toEqual([2, 1]);
    expect(again.version("a", "v1")?.id).toBe("v1");
    expect(again.version("a", "v9")).toBeNull();
    await again.close();
  });

  test("refuses a registry of a newer schema with REGISTRY_TOO_NEW", async () => {
    using folder = temporary();
    await (await openRegistry({ dir: folder.path, clock: testClock() })).close();
    // The writer of a newer release, as far as this one can tell.
    const newer = `import { open } from "lmdb";
      const env = open({ path: ${JSON.stringify(folder.path)}, encoding: "string", maxDbs: 16 });
      const meta = env.openDB({ name: "meta", encoding: "string" });
      meta.putSync("state", JSON.stringify({ ...JSON.parse(meta.get("state")), schema: ${SCHEMA + 1} }));
      await env.close();`;
    const made = spawnSync(process.execPath, ["--input-type=module", "-e", newer]);
    expect(made.status).toBe(0);
    const opening = openRegistry({ dir: folder.path, clock: testClock() });
    await expect(opening).rejects.toMatchObject({ code: "REGISTRY_TOO_NEW" });
    expect(() => openRegistryReader({ dir: folder.path })).toThrow(
      expect.objectContaining({ code: "REGISTRY_TOO_NEW" }),
    );
  });

  test("refuses to make a registry where it cannot write with DATA_UNWRITABLE", async () => {
    using folder = temporary();
    const file = join(folder.path, "file");
    writeFileSync(file, "");
    const opening = openRegistry({ dir: join(file, "registry"), clock: testClock() });
    await expect(opening).rejects.toMatchObject({ code: "DATA_UNWRITABLE" });
  });
});

describe("registry file that is damaged", () => {
  const PAGE = 4_096;
  const damages: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
    zeroed: (bytes) => bytes.fill(0),
    "zeroed behind its head": (bytes) => bytes.fill(0, 2 * PAGE),
    "with a zeroed first page": (bytes) => bytes.fill(0, 0, PAGE),
    garbage: (bytes) => randomFillSync(bytes),
    "garbage behind its head": (bytes) => randomFillSync(bytes, 2 * PAGE),
    "garbage in the middle": (bytes) => randomFillSync(bytes, 4 * PAGE, bytes.length - 8 * PAGE),
    empty: (bytes) => bytes.subarray(0, 0),
    "cut to one page": (bytes) => bytes.subarray(0, PAGE),
    "cut in half": (bytes) => bytes.subarray(0, bytes.length >> 1),
    "cut by one byte": (bytes) => bytes.subarray(0, -1),
    text: () => Buffer.from("not a registry\n"),
  };

  test.each(Object.keys(damages))("%s is refused with REGISTRY_CORRUPT", async (name) => {
    using folder = temporary();
    const registry = await openRegistry({ dir: folder.path, clock: testClock() });
    for (let at = 0; at < 100; at += 1) {
      const description = "y".repeat(500);
      await registry.append([
        { op: "endpoint.put", endpoint: endpoint(`e${at}`, { description }) },
      ]);
    }
    await registry.close();
    const path = join(folder.path, "data.mdb");
    const damage = damages[name];
    if (damage !== undefined) writeFileSync(path, damage(readFileSync(path)));
    const before = readFileSync(path);
    const opening = openRegistry({ dir: folder.path, clock: testClock() });
    await expect(opening).rejects.toMatchObject({ code: "REGISTRY_CORRUPT" });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test("whose view does not follow from its log is refused with REGISTRY_CORRUPT", async () => {
    using folder = temporary();
    const store = openStore({ dir: folder.path, readOnly: false });
    store.append({ at: "", ops: [{ op: "endpoint.put", endpoint: endpoint("a") }] });
    const stray: Change = {
      revision: 9,
      at: "",
      ops: [{ op: "endpoint.put", endpoint: endpoint("b") }],
    };
    applyChange(store.view, stray);
    expect(contentOf(store.view)).not.toBe(contentOf(memoryRows()));
    await store.close();
    const opening = openRegistry({ dir: folder.path, clock: testClock() });
    await expect(opening).rejects.toMatchObject({ code: "REGISTRY_CORRUPT" });
  });

  test("of the release before services is read by all and made this release's by the writer", async () => {
    using folder = temporary();
    const env = open<string, string>({ path: folder.path, encoding: "string", maxDbs: 16 });
    const put = (table: string, key: string | number, value: unknown): void => {
      const database = env.openDB<string, string | number>({ name: table, encoding: "string" });
      database.putSync(key, JSON.stringify(value));
    };
    for (const area of ["view", "base"]) {
      for (const table of ["versions", "deployments", "generations", "endpoints"]) {
        env.openDB({ name: `${area}.${table}`, encoding: "string" });
      }
    }
    const change: ChangeOp = { op: "endpoint.put", endpoint: endpoint("a") };
    put("log", 1, { revision: 1, at: "", ops: [change] });
    put("view.endpoints", "a", endpoint("a"));
    put("meta", "state", { schema: 1, revision: 1, base: 0, logBytes: 100 });
    await env.close();
    const before = openRegistryReader({ dir: folder.path });
    expect([before.get("a")?.endpoint.name, before.services(), before.secrets("a")]).toEqual([
      "a",
      [],
      [],
    ]);
    await before.close();
    const registry = await openRegistry({ dir: folder.path, clock: testClock() });
    await registry.append([
      { op: "service.put", service: service("main-db") },
      { op: "secret.put", secret: secret("a", "KEY") },
    ]);
    await registry.close();
    const store = openStore({ dir: folder.path, readOnly: true });
    expect(store.state().schema).toBe(SCHEMA);
    expect(store.view.services.under("")).toHaveLength(1);
    store.verify();
    await store.close();
  });

  test("that is missing beside leftovers of a crash is made anew", async () => {
    using folder = temporary();
    mkdirSync(join(folder.path, "fresh-1"));
    writeFileSync(join(folder.path, "fresh-1", "data.mdb"), "");
    await (await openRegistry({ dir: folder.path, clock: testClock() })).close();
    expect(readdirSync(folder.path)).not.toContain("fresh-1");
  });

  test("that is missing is refused by a reader", () => {
    using folder = temporary();
    expect(() => openRegistryReader({ dir: folder.path })).toThrow(
      expect.objectContaining({ code: "REGISTRY_CORRUPT" }),
    );
  });
});
