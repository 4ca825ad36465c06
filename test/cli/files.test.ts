// Files and addresses on the command line that cannot be used: a code, the reason, no stack, and nothing is sent.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { infoOf, type Code } from "../../sdk/errors.ts";
import { OPERATOR_BYTES_MAX } from "../../sdk/services/service.ts";
import { envelope, failure, makeFolder, runEdge, startFakeNode, type FakeNode } from "./harness.ts";

const CONTENT = { key: "k", value: "v", content: "dg==", raw: "v" };
let node: FakeNode;
let folder: ReturnType<typeof makeFolder>;

beforeAll(async () => {
  folder = makeFolder({ "value.txt": "v", "edge.jsonc": '{ "name": "app" }' });
  symlinkSync("loop", join(folder.path, "loop"));
  mkdirSync(join(folder.path, "folder", "edge.jsonc"), { recursive: true });
  node = await startFakeNode(({ path }) =>
    path.endsWith("/broken")
      ? [500, failure("INTERNAL", infoOf("INTERNAL").title)]
      : [200, envelope(CONTENT)],
  );
});
afterAll(async () => {
  await node.close();
  folder[Symbol.dispose]();
});

function edge(...argv: string[]): ReturnType<typeof runEdge> {
  return runEdge(argv, { cwd: folder.path, env: { EDGE_ADMIN_URL: node.url } });
}

test.each<[Code, string, string[]]>([
  ["FILE_UNREADABLE", "none cannot be read: ENOENT", ["kv", "put", "n", "k", "--file", "none"]],
  ["FILE_UNREADABLE", ". cannot be read: EISDIR", ["kv", "put", "n", "k", "--file", "."]],
  [
    "BODY_TOO_LARGE",
    `has more than ${OPERATOR_BYTES_MAX}`,
    ["kv", "put", "n", "k", "--file", "/dev/zero"],
  ],
  ["FILE_UNREADABLE", "none cannot be read: ENOENT", ["storage", "put", "s", "k", "none"]],
  ["FILE_UNREADABLE", "none cannot be read: ENOENT", ["sql", "exec", "d", "--file", "none"]],
  [
    "FILE_UNWRITABLE",
    "none/x cannot be written: ENOENT",
    ["kv", "get", "n", "k", "--file", "none/x"],
  ],
  ["FILE_UNWRITABLE", "cannot be written: EISDIR", ["storage", "get", "s", "k", "."]],
  ["FILE_UNWRITABLE", "cannot be written: ENOSPC", ["storage", "get", "s", "k", "/dev/full"]],
  ["FILE_UNWRITABLE", "cannot be written: EISDIR", ["mail", "show", "1", "--file", "."]],
  ["FILE_UNREADABLE", "edge.jsonc cannot be read: EISDIR", ["publish", "folder"]],
  [
    "FILE_UNREADABLE",
    "none cannot be read: ENOENT",
    ["services", "add", "redis", "r", "--env-file", "none"],
  ],
  ["FILE_UNREADABLE", "loop cannot be read: ELOOP", ["publish", "loop"]],
  ["CONFIG_NOT_FOUND", '"/dev/zero" is a device', ["publish", "/dev/zero"]],
  ["GATEWAY_CONFIG_INVALID", "/dev/zero is no file", ["config", "validate", "/dev/zero"]],
  ["USAGE", "<key> must not be empty", ["storage", "get", "s", ""]],
  ["USAGE", "<name> must not be empty", ["show", ""]],
  ["USAGE", "--token has characters", ["list", "--token", "a\nb"]],
  ["USAGE", "--admin is an address", ["list", "--admin", "http://user:secret@127.0.0.1:1"]],
  ["USAGE", "--admin is an address", ["list", "--admin", "http://127.0.0.1:1?a=b"]],
])("%s, %s: edge %j", async (code, message, argv) => {
  const { code: exit, stdout, stderr } = await edge(...argv);
  expect([exit, stdout]).toEqual([code === "USAGE" ? 2 : 1, ""]);
  expect(stderr).toContain(`error: ${infoOf(code).title} (${code})\n`);
  expect(stderr).toContain(message);
  expect(stderr).not.toMatch(/^ +at /m);
});

test("what a command reads may be a pipe", async () => {
  const pipe = join(folder.path, "pipe");
  const script = `mkfifo '${pipe}' && { printf piped > '${pipe}' & }`;
  execFileSync("sh", ["-c", script], { stdio: "ignore" });
  expect(await edge("storage", "put", "s", "k", "pipe")).toMatchObject({ code: 0 });
  expect(node.seen.at(-1)?.body).toEqual({ content: Buffer.from("piped").toString("base64") });
});

test("what a command writes is the answer", async () => {
  expect(await edge("kv", "get", "n", "k", "--file", "out")).toMatchObject({ code: 0, stderr: "" });
  expect(readFileSync(join(folder.path, "out"), "utf8")).toBe("v");
});

test("an answer without an end is not a node's", async () => {
  const piece = "x".repeat(1024 * 1024);
  const server = createServer((_request, response) => {
    const write = (): void => {
      while (response.write(piece));
    };
    response.on("drain", write);
    write();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const { code, stderr } = await edge("list", "--admin", `http://127.0.0.1:${port}`);
  expect(code).toBe(1);
  expect(stderr).toContain("is not the admin API of a node");
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

test("an empty variable is none", async () => {
  const port = new URL(node.url).port;
  const env = { EDGE_ADMIN_URL: "", EDGE_ADMIN_TOKEN: "", EDGE_ADMIN_PORT: port };
  expect(await runEdge(["show", "app"], { cwd: folder.path, env })).toMatchObject({ code: 0 });
});

test("a bug of the node is told without the command's stack", async () => {
  const { code, stderr } = await edge("show", "broken");
  expect(code).toBe(1);
  expect(stderr).toContain("(INTERNAL)");
  expect(stderr).not.toMatch(/^ +at /m);
});
