// Wrong input from outside, each with its code and a way out; what ran before goes on running.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { infoOf, type Code } from "../../sdk/errors.ts";
import { BUNDLE_BYTES_MAX } from "../../sdk/limits.ts";
import {
  edge,
  publishBody,
  startNode,
  TOKEN,
  type CliResult,
  type Envelope,
  type TestNode,
} from "../node.ts";
import { temporary } from "../temporary.ts";

function expectCode(answer: Envelope, code: Code): void {
  expect(answer).toMatchObject({ ok: false, code, status: infoOf(code).status });
  expect(String(answer.error)).not.toBe("");
}

/** One JSON document on standard output, exit code 1 (2 for wrong usage). */
function expectFailure({ code: exit, stdout }: CliResult, code: Code): void {
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code } });
  expect(exit).toBe(code === "USAGE" ? 2 : 1);
}

describe("a running node", () => {
  let node: TestNode;
  let folder: ReturnType<typeof temporary>;

  beforeAll(async () => {
    folder = temporary();
    node = await startNode();
    await node.publish("good", "export default { fetch: () => new Response('good') };");
  });
  afterEach(async () => {
    expect((await node.get("/good")).text).toBe("good");
    const { data } = await node.api("GET", "/api/endpoints/good/versions");
    expect(data).toHaveLength(1);
  });
  afterAll(async () => {
    await node.stop();
    folder[Symbol.dispose]();
  });

  function fileOf(name: string, text: string): string {
    const file = join(folder.path, name);
    writeFileSync(file, text);
    return file;
  }

  test.each<[Code, string]>([
    ["SOURCE_INVALID", "export default { fetch( };"],
    ["SOURCE_INVALID", "import { a } from './nowhere'; export default { fetch: () => a };"],
    ["NO_DEFAULT_EXPORT", "export const fetch = () => new Response('x');"],
    ["TOP_LEVEL_THROW", "throw new Error('at load'); export default { fetch() {} };"],
    ["TOP_LEVEL_IO", "await fetch('http://127.0.0.1/'); export default { fetch() {} };"],
  ])("edge publish says %s: %s", async (code, source) => {
    const file = fileOf("good.ts", source);
    expectFailure(await node.edge("publish", file, "--json"), code);
  });

  test.each<[Code, string[]]>([
    ["ROUTE_INVALID", ["--route", "/a/{"]],
    ["ROUTE_INVALID", ["--route", "/a/{id:[}"]],
    ["ROUTE_CONFLICT", ["--name", "other", "--route", "/good"]],
    ["NAME_INVALID", ["--name", "Odd Name!"]],
    ["NAME_INVALID", ["--name", "a".repeat(64)]],
    ["USAGE", ["--limit", "nothing=1"]],
    ["USAGE", ["--no-such-flag"]],
    ["CONFIG_NOT_FOUND", ["nowhere.ts"]],
  ])("edge publish says %s to %j", async (code, flags) => {
    const file = fileOf("good.ts", "export default { fetch: () => new Response('worse') };");
    const args = flags[0]?.startsWith("--") === true ? [file, ...flags] : flags;
    expectFailure(await node.edge("publish", ...args, "--json"), code);
  });

  test("edge publish prints the way out below the message", async () => {
    const failed = await node.edge("publish", fileOf("good.ts", "export const nothing = 1;"));
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toContain("NO_DEFAULT_EXPORT");
    expect(failed.stderr).toContain(infoOf("NO_DEFAULT_EXPORT").fix);
  });

  test("edge publish says MANIFEST_INVALID to an unknown field of edge.jsonc", async () => {
    const project = join(folder.path, "project");
    mkdirSync(project, { recursive: true });
    writeFileSync(join(project, "edge.jsonc"), '{ "name": "good", "main": "a.ts", "memroy": 1 }');
    writeFileSync(join(project, "a.ts"), "export default { fetch: () => new Response('a') };");
    const failed = await node.edge("publish", project, "--json");
    expectFailure(failed, "MANIFEST_INVALID");
    expect(failed.stdout).toContain("memroy");
  });

  test("the command line says UNAUTHORIZED, NODE_UNREACHABLE, ENDPOINT_NOT_FOUND", async () => {
    const admin = ["--admin", `http://127.0.0.1:${node.adminPort}`, "--json"];
    expectFailure(await edge(["list", ...admin, "--token", "wrong"]), "UNAUTHORIZED");
    expectFailure(
      await edge(["list", "--admin", "http://127.0.0.1:1", "--json"]),
      "NODE_UNREACHABLE",
    );
    expectFailure(await node.edge("show", "nobody", "--json"), "ENDPOINT_NOT_FOUND");
    expectFailure(
      await node.edge("rollback", "good", "0123456789abcdef", "--json"),
      "VERSION_NOT_FOUND",
    );
  });

  test("the admin API refuses what did not arrive whole, is too large or is no JSON", async () => {
    const body = await publishBody("good", "export default { fetch: () => new Response('new') };");
    const cut = { ...body, code: body.code.slice(0, -10) };
    expectCode(await node.api("POST", "/api/publish", cut), "UPLOAD_CORRUPT");
    const text = JSON.stringify(body);
    expectCode(await node.api("POST", "/api/publish", text.slice(0, -20)), "BAD_REQUEST");
    const padding = `export default { fetch() {} }; /*! ${"x".repeat(BUNDLE_BYTES_MAX)} */`;
    const large = { ...body, code: padding };
    expectCode(await node.api("POST", "/api/publish", large), "BUNDLE_TOO_LARGE");
    expectCode(await node.api("POST", "/api/publish", { ...body, surprise: 1 }), "INPUT_INVALID");
    expectCode(await node.api("GET", "/api/endpoints/nobody"), "ENDPOINT_NOT_FOUND");
    expectCode(await node.api("GET", "/api/endpoints", undefined, "wrong"), "UNAUTHORIZED");
    expectCode(await node.api("GET", "/api/nothing"), "NOT_FOUND");
  });

  test("a second node gets neither its ports nor its folder: PORT_IN_USE, DATA_IN_USE", async () => {
    const serve = (port: number, adminPort: number, data: string): Promise<CliResult> =>
      edge(serveArgs(port, adminPort, data), { EDGE_ADMIN_TOKEN: TOKEN });
    const other = join(folder.path, "other");
    expectFailure(await serve(node.port, 0, other), "PORT_IN_USE");
    expectFailure(await serve(0, node.adminPort, other), "PORT_IN_USE");
    expectFailure(await serve(0, 0, node.data), "DATA_IN_USE");
  });
});

test("a node does not start on a folder it cannot use: DATA_UNWRITABLE, REGISTRY_CORRUPT", async () => {
  using folder = temporary();
  const file = join(folder.path, "file");
  writeFileSync(file, "no folder");
  expectFailure(await edge(serveArgs(0, 0, file)), "DATA_UNWRITABLE");

  const data = join(folder.path, "data");
  const node = await startNode({ data });
  await node.publish("kept", "export default { fetch: () => new Response('kept') };");
  await node.stop();
  const registry = join(data, "registry", "data.mdb");
  const whole = readFileSync(registry);
  for (const damage of [
    Buffer.alloc(whole.length),
    whole.subarray(0, 5_000),
    Buffer.from("junk"),
  ]) {
    writeFileSync(registry, damage);
    expectFailure(await edge(serveArgs(0, 0, data)), "REGISTRY_CORRUPT");
    // Evidence: nothing was made anew over it.
    expect(readFileSync(registry).equals(damage)).toBe(true);
  }
  writeFileSync(registry, whole);
  await using again = await startNode({ data });
  expect((await again.get("/kept")).text).toBe("kept");
});

describe("a first start that is refused makes nothing", () => {
  /** Below a folder that is not there yet. */
  const cases: readonly [Code, string[]][] = [
    ["HOST_UNUSABLE", ["--host", "nosuch.invalid"]],
    ["HOST_UNUSABLE", ["--host", "256.1.1.1"]],
    ["HOST_UNUSABLE", ["--host", "192.0.2.1"]],
    ["HOST_UNUSABLE", ["--admin-host", "nosuch.invalid"]],
    ["HOST_UNUSABLE", ["--admin-host", "192.0.2.1"]],
    ["USAGE", ["--host", ""]],
    ["USAGE", ["--port", "70000"]],
    ["USAGE", ["--port", "-1"]],
    ["USAGE", ["--tls-port", "0"]],
    ["USAGE", ["--tls-cert", "/none.crt"]],
    ["USAGE", ["--tls-self-signed", "--tls-cert", "/none.crt", "--tls-key", "/none.key"]],
    ["GATEWAY_CONFIG_INVALID", ["--tls-cert", "/none.crt", "--tls-key", "/none.key"]],
    ["GATEWAY_CONFIG_INVALID", ["--config", "/none.yaml"]],
    ["GATEWAY_CONFIG_INVALID", ["--config", "BAD"]],
    ["GATEWAY_CONFIG_INVALID", ["--config", "PROXIED"]],
    ["SECRET_KEY_INVALID", ["--secret-key-file", "BAD"]],
    ["SECRET_KEY_INVALID", ["--secret-key-file", "/none"]],
    ["USER_UNKNOWN", ["--user", "nobody-of-this-name"]],
    ["FILE_UNWRITABLE", ["--ready-file", "/proc/islet/ready.json"]],
    ["FILE_UNWRITABLE", ["--ready-file", "BAD/ready.json"]],
    ["FILE_UNWRITABLE", ["--ready-file", "/proc"]],
  ];
  const files: Readonly<Record<string, string>> = {
    BAD: "routess: []",
    PROXIED: "proxyProtocol: [10.0.0.0/8]",
  };

  test.each(cases)("%s: %j", async (code, args) => {
    using folder = temporary();
    const inside = args.map((arg) => arg.replace(/^(?:BAD|PROXIED)/, join(folder.path, "$&")));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder.path, name), text);
    const wanted = code === "USER_UNKNOWN" && process.getuid?.() !== 0 ? "USER_NOT_ROOT" : code;
    const data = join(folder.path, "deep", "data");
    const refused = await edge([...serveArgs(0, 0, data), ...inside]);
    expectFailure(refused, wanted);
    expect(refused.stderr).toBe("");
    expect(readdirSync(folder.path).toSorted()).toEqual(Object.keys(files));
  });
});

test("an admin port that is taken while the node starts is named, and nothing is left running", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  using folder = temporary();
  const { port } = server.address() as AddressInfo;
  expectFailure(await edge(serveArgs(0, port, join(folder.path, "data"))), "PORT_IN_USE");
  server.close();
});

function serveArgs(port: number, adminPort: number, data: string): string[] {
  const ports = ["--port", `${port}`, "--admin-port", `${adminPort}`, "--host", "127.0.0.1"];
  return ["serve", ...ports, "--workers", "1", "--no-demo", "--data", data, "--json"];
}
