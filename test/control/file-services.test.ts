// Services that a configuration file names, over a real registry: what is made, changed, taken away and refused.

import { expect, test } from "vitest";
import { parseConfigFile } from "../../control/gateway/config.ts";
import type { FileServices } from "../../control/services/file.ts";
import { openConfig } from "../../control/services/sealing.ts";
import { SERVICES_MAX } from "../../sdk/services/service.ts";
import { openTestNode, request, type TestNode } from "./node.ts";

const PASSWORD = "pa55-of-the-file";

function file(services: string): FileServices {
  const text = `services:\n${services}`;
  return parseConfigFile({ path: "/edge.yaml", text, variables: { PASSWORD } }).services;
}

const REDIS = '  r: { type: redis, host: r, password: "${PASSWORD}" }\n';

function refused(node: TestNode, services: string): Promise<string> {
  return node.services.takeFile(file(services)).then(
    () => "",
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

test("services of a file are made and available, their secrets sealed, and stay when nothing changed", async () => {
  await using node = await openTestNode();
  expect(await node.services.takeFile(file(REDIS))).toBe(true);
  const made = node.services.find("r");
  expect(made).toMatchObject({ type: "redis", state: "available", origin: "file" });
  expect(JSON.stringify(made)).not.toContain(PASSWORD);
  const opened = openConfig(made, { vault: node.vault, secrets: [] });
  expect(opened).toMatchObject({ host: "r", port: 6_379, password: PASSWORD });

  const revision = node.registry.revision();
  expect(await node.services.takeFile(file(REDIS))).toBe(false);
  expect(node.registry.revision()).toBe(revision);
});

test("a change in the file changes its service, which keeps its id and is known by it when it comes back", async () => {
  await using node = await openTestNode();
  await node.services.takeFile(file(REDIS));
  const { id } = node.services.find("r");
  await node.services.takeFile(file(REDIS.replace("host: r", "host: s, enabled: false")));
  expect(node.services.find(id)).toMatchObject({
    name: "r",
    state: "deactivated",
    config: { host: "s" },
  });
  await node.services.takeFile(file("  q: { type: embedded }\n"));
  expect(node.registry.services().map(({ name }) => name)).toEqual(["q"]);
  await node.services.takeFile(file(REDIS));
  expect(node.services.find("r").id).toBe(id);
});

test("what was made through the API stays, and a file that names it too is refused", async () => {
  await using node = await openTestNode();
  const made = await node.services.create({ name: "r", type: "redis", config: { host: "api" } });
  await node.services.takeFile(file("  q: { type: embedded }\n"));
  await node.services.takeFile(file("  p: { type: embedded }\n"));
  expect(node.services.find("r")).toEqual(made);
  const revision = node.registry.revision();
  expect(await refused(node, `${REDIS}  q: { type: embedded }\n`)).toBe(
    "edge.yaml:2:3: services.r: a service of this name was made through the API; expected another name",
  );
  expect(node.registry.revision()).toBe(revision);
});

test("a service of the file is changed and deleted there only", async () => {
  await using node = await openTestNode();
  await node.services.takeFile(file(REDIS));
  const ours = expect.objectContaining({ code: "SERVICE_OF_FILE" }) as Error;
  await expect(node.services.update("r", { state: "deactivated" })).rejects.toEqual(ours);
  await expect(node.services.remove("r")).rejects.toEqual(ours);
  const taken = node.services.create({ name: "r", type: "redis", config: { host: "h" } });
  await expect(taken).rejects.toMatchObject({ code: "SERVICE_EXISTS" });
  expect(await node.services.test("r")).toMatchObject({ connected: true });
});

test("a service that endpoints use stays in the file, and of its type; its fields may change", async () => {
  await using node = await openTestNode();
  await node.services.takeFile(file(REDIS));
  await node.control.publish(
    request("shop", { bindings: [{ kind: "cache", name: "CACHE", service: "r" }] }),
  );
  expect(await refused(node, "  q: { type: embedded }\n")).toBe(
    'edge.yaml:2:3: services: "r" is gone, but used by shop; expected r, or endpoints without it',
  );
  expect(await refused(node, "  r: { type: embedded }\n")).toBe(
    "edge.yaml:2:14: services.r.type: found embedded, while shop uses it as redis; expected redis",
  );
  expect(await node.services.takeFile(file(REDIS.replace("host: r", "host: s")))).toBe(true);
  await node.control.remove("shop");
  expect(await node.services.takeFile(file("  r: { type: embedded }\n"))).toBe(true);
  expect(node.services.find("r").type).toBe("embedded");
});

test("secrets of the node are named and there; another value of a sealed one is a change", async () => {
  await using node = await openTestNode();
  const referring = '  r: { type: redis, host: r, password: "${secret:REDIS}" }\n';
  expect(await refused(node, referring)).toBe(
    'edge.yaml:2:40: services.r.password: the node has no secret "REDIS"; expected one that it has',
  );
  await node.secrets.put(null, { REDS: "x" });
  expect(await refused(node, referring)).toContain("expected one of REDS. Did you mean REDS?");
  await node.secrets.put(null, { REDIS: "y" });
  expect(await node.services.takeFile(file(referring))).toBe(true);
  await expect(node.secrets.put(null, { REDIS: null })).rejects.toMatchObject({
    code: "SECRET_IN_USE",
  });
  expect(await node.services.takeFile(file(REDIS))).toBe(true);
  const other = REDIS.replace("${PASSWORD}", "other");
  expect(await node.services.takeFile(file(other))).toBe(true);
});

test("the file's and the API's services are 100 together at most", async () => {
  await using node = await openTestNode();
  await node.services.create({ name: "api", type: "embedded", config: {} });
  const many = (count: number): string =>
    Array.from({ length: count }, (_, n) => `  s${n}: { type: embedded }\n`).join("");
  expect(await refused(node, many(SERVICES_MAX))).toContain(
    "with the 1 made through the API these are too many; expected at most 100 services",
  );
  expect(await refused(node, many(SERVICES_MAX - 1))).toBe("");
});
