import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { BLOB_GRACE_MS } from "../../control/blobs.ts";
import { PUBLISHES_RUNNING_MAX, PUBLISHES_WAITING_MAX } from "../../control/control.ts";
import { VERSIONS_KEPT } from "../../control/publish.ts";
import { EdgeError, type Code } from "../../sdk/errors.ts";
import { CORDONS_MAX } from "../../sdk/isolation.ts";
import { BUNDLE_BYTES_MAX, MAP_BYTES_MAX } from "../../sdk/limits.ts";
import type { ChangeOp } from "../../sdk/records.ts";
import { HANDLER, openTestNode, request } from "./node.ts";

const code = (name: Code): { code: Code } => ({ code: name });
const numbered = (at: number): string => `${HANDLER} // ${at}`;

test("publish prepares the workers, commits, announces, and tells its stages in order", async () => {
  await using node = await openTestNode();
  const stages: string[] = [];
  const result = await node.control.publish(request("hello", { bundleMs: 5 }), {
    onStage: (stage) => stages.push(stage),
  });
  expect(stages).toEqual(["check", "snapshot", "load", "live"]);
  expect(node.fleet.log).toEqual([`prepare hello/${result.version}`, "announce 1"]);
  expect(result).toMatchObject({
    endpoint: "hello",
    generation: 1,
    bundleBytes: HANDLER.length,
    start: "full",
    urls: ["http://127.0.0.1:9080/hello", "http://127.0.0.1:9080/hello/*"],
    timingsMs: { bundle: 5, check: 3, snapshot: 4 },
  });
  const deployed = node.registry.get("hello");
  expect(deployed?.versions[0]?.id).toBe(result.version);
  const bundle = deployed?.versions[0]?.bundle ?? "";
  expect(Buffer.from(node.blobs.read(bundle)).toString()).toBe(HANDLER);
});

test("publish of the same content is the same version and a new generation", async () => {
  await using node = await openTestNode();
  const first = await node.control.publish(request("hello", { vars: { A: 1, B: 2 } }));
  const again = await node.control.publish(request("hello", { vars: { B: 2, A: 1 } }));
  expect(again.version).toBe(first.version);
  expect(again.generation).toBe(2);
  const other = await node.control.publish(request("hello", { vars: { A: 1, B: 3 } }));
  expect(other.version).not.toBe(first.version);
  expect(node.registry.versions("hello").map(({ id }) => id)).toEqual([
    other.version,
    first.version,
  ]);
});

test.each([
  ["whose check fails", "check", "TOP_LEVEL_THROW"],
  ["that a worker cannot load", "prepare", "PREPARE_FAILED"],
] as const)("publish %s changes nothing", async (_name, where, failure) => {
  await using node = await openTestNode();
  const first = await node.control.publish(request("hello"));
  const before = node.registry.revision();
  if (where === "check") node.checker.fail = new EdgeError(failure);
  if (where === "prepare") node.fleet.failPrepare = new EdgeError(failure);
  const publishing = node.control.publish(request("hello", { code: numbered(2) }));
  await expect(publishing).rejects.toMatchObject(code(failure));
  expect(node.registry.revision()).toBe(before);
  expect(node.registry.get("hello")?.versions[0]?.id).toBe(first.version);
});

test("publish that workers do not take in time puts the old version back", async () => {
  await using node = await openTestNode();
  const first = await node.control.publish(request("hello"));
  node.fleet.failAnnounce = new EdgeError("PUBLISH_TIMEOUT");
  const publishing = node.control.publish(request("hello", { code: numbered(2) }));
  await expect(publishing).rejects.toMatchObject(code("PUBLISH_TIMEOUT"));
  const deployed = node.registry.get("hello");
  expect(deployed?.versions[0]?.id).toBe(first.version);
  expect(deployed?.deployment?.generation).toBe(3);
  expect(node.fleet.log.at(-1)).toBe(`announce ${node.registry.revision()}`);
});

test("first publish that workers do not take in time leaves no endpoint behind", async () => {
  await using node = await openTestNode();
  node.fleet.failAnnounce = new EdgeError("PUBLISH_TIMEOUT");
  const publishing = node.control.publish(request("hello"));
  await expect(publishing).rejects.toMatchObject(code("PUBLISH_TIMEOUT"));
  expect(node.registry.get("hello")).toBeNull();
  expect((await node.control.publish(request("hello"))).generation).toBe(2);
});

test("publish that names private hosts needs the operator's leave", async () => {
  const egress = ["db.internal:5432"];
  await using closed = await openTestNode();
  const refused = expect.objectContaining({ code: "EGRESS_NOT_ALLOWED", detail: { egress } });
  for (const more of [{ egress }, { egress, dryRun: true }]) {
    const asked = closed.control.publish(request("a", more));
    await expect(asked).rejects.toEqual(refused);
  }
  expect((await closed.control.publish(request("a", { egress: [] }))).generation).toBe(1);
  expect(closed.registry.versions("a")[0]?.manifest).not.toHaveProperty("egress");
  await using open = await openTestNode({ egressMayBePrivate: true });
  const { version } = await open.control.publish(request("a", { egress }));
  expect(open.registry.version("a", version)?.manifest.egress).toEqual(egress);
});

test("publish above the operator's ceiling is refused with the limit, its value and its range", async () => {
  await using node = await openTestNode({ limitMax: { memoryMb: 64 } });
  for (const memoryMb of [63, 64]) {
    await node.control.publish(request("a", { limits: { memoryMb, cpuMs: 30_000 } }));
  }
  const refused = node.control.publish(request("a", { limits: { memoryMb: 65 }, dryRun: true }));
  await expect(refused).rejects.toMatchObject({
    code: "LIMIT_NOT_ALLOWED",
    message: "memoryMb is a whole number of MB from 8 to 64 on this node, not 65",
    detail: { limit: "memoryMb", value: 65, max: 64 },
  });
});

test("publish that was cut short is refused with UPLOAD_CORRUPT", async () => {
  await using node = await openTestNode();
  const cut = { ...request("hello"), code: HANDLER.slice(0, -1) };
  await expect(node.control.publish(cut)).rejects.toMatchObject(code("UPLOAD_CORRUPT"));
  expect(node.registry.revision()).toBe(0);
});

test("publish takes a bundle of exactly the limit and none larger", async () => {
  await using node = await openTestNode();
  const sized = (bytes: number): string => HANDLER.padEnd(bytes, " ");
  const publishing = (bytes: number): Promise<unknown> =>
    node.control.publish(request("hello", { code: sized(bytes) }));
  await publishing(BUNDLE_BYTES_MAX - 1);
  await publishing(BUNDLE_BYTES_MAX);
  await expect(publishing(BUNDLE_BYTES_MAX + 1)).rejects.toMatchObject(code("BUNDLE_TOO_LARGE"));
  const map = " ".repeat(MAP_BYTES_MAX + 1);
  const large = node.control.publish(request("hello", { map }));
  await expect(large).rejects.toMatchObject(code("BUNDLE_TOO_LARGE"));
});

test("publish with a route that another endpoint has is refused with both named", async () => {
  await using node = await openTestNode();
  const routes = [{ host: "*", path: "/x/:id", methods: [] }];
  await node.control.publish(request("one", { routes }));
  const same = [{ host: "*", path: "/x/{name}", methods: [] }];
  const publishing = node.control.publish(request("two", { routes: same }));
  await expect(publishing).rejects.toMatchObject(code("ROUTE_CONFLICT"));
  expect(node.registry.get("two")).toBeNull();
  await node.control.publish(request("one", { routes: same }));
});

test("two publishes at once cannot both take one route", async () => {
  await using node = await openTestNode();
  const routes = [{ host: "*", path: "/x", methods: [] }];
  const both = await Promise.allSettled([
    node.control.publish(request("one", { routes })),
    node.control.publish(request("two", { routes })),
  ]);
  expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
});

test("publishes of one endpoint run one after another, in order", async () => {
  await using node = await openTestNode();
  const results = await Promise.all(
    [1, 2, 3, 4].map((at) => node.control.publish(request("hello", { code: numbered(at) }))),
  );
  expect(results.map(({ generation }) => generation)).toEqual([1, 2, 3, 4]);
  expect(node.registry.get("hello")?.versions[0]?.id).toBe(results[3]?.version);
});

test("publishes beyond the queue's bound are refused with OVERLOADED", async () => {
  await using node = await openTestNode();
  const gate = Promise.withResolvers<void>();
  node.checker.gate = gate.promise;
  const most = PUBLISHES_RUNNING_MAX + PUBLISHES_WAITING_MAX;
  const accepted = Array.from({ length: most }, (_, at) => node.control.publish(request(`e${at}`)));
  await expect(node.control.publish(request("late"))).rejects.toMatchObject(code("OVERLOADED"));
  gate.resolve();
  expect(await Promise.all(accepted)).toHaveLength(most);
});

test("dry run checks and stores nothing", async () => {
  await using node = await openTestNode();
  const result = await node.control.publish(request("hello", { dryRun: true }));
  expect(result.generation).toBe(0);
  expect(node.registry.revision()).toBe(0);
  expect(readdirSync(node.blobFolder)).toEqual(["incoming"]);
  expect((await node.control.publish(request("hello"))).version).toBe(result.version);
});

test("rollback goes to the version before, and back again", async () => {
  await using node = await openTestNode();
  const first = await node.control.publish(request("hello"));
  const second = await node.control.publish(request("hello", { code: numbered(2) }));
  const back = await node.control.rollback("hello");
  expect(back).toMatchObject({ version: first.version, generation: 3 });
  const forth = await node.control.rollback("hello");
  expect(forth).toMatchObject({ version: second.version, generation: 4 });
  const named = await node.control.rollback("hello", { version: first.version, message: "why" });
  expect(named.version).toBe(first.version);
  expect(node.registry.deployments("hello")[0]?.message).toBe("why");
});

test("rollback without an earlier or with an unknown version is refused", async () => {
  await using node = await openTestNode();
  await expect(node.control.rollback("none")).rejects.toMatchObject(code("ENDPOINT_NOT_FOUND"));
  await node.control.publish(request("hello"));
  await expect(node.control.rollback("hello")).rejects.toMatchObject(code("VERSION_NOT_FOUND"));
  const unknown = node.control.rollback("hello", { version: "0000000000000000" });
  await expect(unknown).rejects.toMatchObject(code("VERSION_NOT_FOUND"));
});

test("generations go on after an endpoint was deleted and made again", async () => {
  await using node = await openTestNode();
  await node.control.publish(request("hello"));
  await node.control.remove("hello");
  expect(node.registry.get("hello")).toBeNull();
  expect((await node.control.publish(request("hello"))).generation).toBe(2);
});

test("versions beyond those kept are forgotten with their blobs, never a deployed one", async () => {
  await using node = await openTestNode();
  const first = await node.control.publish(request("hello", { code: numbered(0) }));
  const bundle = node.registry.versions("hello")[0]?.bundle ?? "";
  for (let at = 1; at < VERSIONS_KEPT; at += 1) {
    await node.control.publish(request("hello", { code: numbered(at) }));
  }
  expect(node.registry.versions("hello")).toHaveLength(VERSIONS_KEPT);
  node.clock.advance(BLOB_GRACE_MS + 1);
  await node.control.publish(request("hello", { code: numbered(VERSIONS_KEPT) }));
  expect(node.registry.versions("hello")).toHaveLength(VERSIONS_KEPT);
  expect(node.registry.version("hello", first.version)).toBeNull();
  expect(() => node.blobs.read(bundle)).toThrow(expect.objectContaining(code("BLOB_CORRUPT")));
  for (const { bundle: kept } of node.registry.versions("hello")) node.blobs.read(kept);
});

test("publish refuses one group or dedicated endpoint more than a node keeps, and no other", async () => {
  await using node = await openTestNode();
  await node.control.publish(request("e1", { isolation: "dedicated" }));
  const first = node.registry.get("e1");
  const [version] = first?.versions ?? [];
  if (!first?.deployment || version === undefined) throw new Error("e1 is not deployed");
  const { endpoint, deployment } = first;
  const ops = Array.from({ length: CORDONS_MAX - 2 }, (_, at): ChangeOp[] => {
    const name = `e${at + 2}`;
    const routes = [{ host: "*", path: `/${name}`, methods: [] }];
    const manifest = { ...version.manifest, name, routes };
    return [
      { op: "endpoint.put", endpoint: { ...endpoint, id: name, name, routes } },
      { op: "version.put", version: { ...version, endpoint: name, manifest } },
      { op: "deployment.put", deployment: { ...deployment, endpoint: name } },
    ];
  });
  await node.registry.append(ops.flat());
  await node.control.publish(request("grouped", { isolation: "group:g" }));
  const beyond = node.control.publish(request("beyond", { isolation: "dedicated" }));
  await expect(beyond).rejects.toMatchObject(code("CORDON_LIMIT"));
  await node.control.publish(request("joins", { isolation: "group:g" }));
  await node.control.publish(request("e1", { isolation: "shared" }));
  await node.control.publish(request("beyond", { isolation: "dedicated" }));
  await expect(node.control.rollback("e1")).rejects.toMatchObject(code("CORDON_LIMIT"));
});
