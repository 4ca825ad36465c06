// Commands end to end inside the client: argv → calls on the wire → stdout, stderr and exit code.

import { createHash } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import type { Json } from "../../sdk/errors.ts";
import { isObject, textOf } from "../../cli/json.ts";
import { envelope, failure, makeFolder, runEdge, startFakeNode } from "./harness.ts";
import type { Answer, FakeNode } from "./harness.ts";

let node: FakeNode | null = null;

async function withNode(answer: Answer): Promise<FakeNode> {
  node = await startFakeNode(answer);
  return node;
}

afterEach(async () => {
  await node?.close();
  node = null;
});

const HANDLER = `export default { fetch() { return new Response("hi"); } };`;
const PUBLISHED: Json = {
  endpoint: "hello",
  version: "0123456789abcdef",
  generation: 3,
  routes: [],
  urls: ["http://127.0.0.1:9080/hello"],
  bundleBytes: 2_048,
  timingsMs: { bundle: 1, check: 2, snapshot: 3, live: 4, total: 10 },
};
const STAGES = `{"stage":"check"}\n{"stage":"snapshot"}\n\n{"stage":"live"}\n`;

/** Of what a --json command printed: exactly one document, on one line. */
function document(stdout: string): Json {
  expect(stdout.endsWith("\n")).toBe(true);
  expect(stdout.trimEnd()).not.toContain("\n");
  return JSON.parse(stdout) as Json;
}

describe("publish", () => {
  test("bundles a file and sends it whole, with flags and token", async () => {
    const { url, seen } = await withNode(() => [200, STAGES + envelope(PUBLISHED)]);
    using folder = makeFolder({ "hello.ts": HANDLER });
    const flags = ["--route", "/a/{id}", "--domain", "A.example.com", "--method", "get,post"];
    const more = ["--var", "MODE=a=b", "--limit", "wallMs=10s", "--message", "first"];
    const argv = ["publish", "hello.ts", ...flags, ...more, "--admin", url, "--token", "t"];
    const ran = await runEdge(argv, { cwd: folder.path });
    // Progress, where the machine is slow enough for it.
    expect(ran.stderr.replace(/^(?:(?:Bundling|Uploading) .*…\n)*/, "")).toBe("");
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain("Published hello 0123456789abcdef (generation 3) in 10 ms");
    expect(ran.stdout).toContain("  http://127.0.0.1:9080/hello\n");
    const [call] = seen;
    expect(call).toMatchObject({ method: "POST", path: "/api/publish", token: "Bearer t" });
    expect(call?.body).toMatchObject({
      name: "hello",
      routes: [{ host: "a.example.com", path: "/a/{id}", methods: ["GET", "POST"] }],
      vars: { MODE: "a=b" },
      limits: { wallMs: 10_000 },
      message: "first",
      format: "script",
    });
    const body = isObject(call?.body) ? call.body : {};
    const hash = createHash("sha256").update(textOf(body["code"])).digest("hex");
    expect(body["codeSha256"]).toBe(hash);
  });

  test("--json prints the node's answer as one document and nothing else", async () => {
    const { url } = await withNode(() => [200, STAGES + envelope(PUBLISHED)]);
    using folder = makeFolder({ "src/index.ts": HANDLER, "edge.jsonc": `{ "name": "hello" }` });
    const ran = await runEdge(["publish", "--json"], {
      cwd: folder.path,
      env: { EDGE_ADMIN_URL: url },
    });
    expect(document(ran.stdout)).toEqual({ ok: true, data: PUBLISHED });
    expect(ran).toMatchObject({ code: 0, stderr: "" });
  });

  test("--dry-run asks the node to store nothing and names the inputs", async () => {
    const { url, seen } = await withNode(() => [200, envelope(PUBLISHED)]);
    using folder = makeFolder({ "hello.ts": HANDLER });
    const argv = ["publish", "hello.ts", "--dry-run", "--json", "--admin", url];
    const ran = await runEdge(argv, { cwd: folder.path });
    expect(seen[0]?.body).toMatchObject({ dryRun: true });
    expect(document(ran.stdout)).toMatchObject({ data: { inputs: [{ file: "hello.ts" }] } });
  });

  test("source that does not compile never reaches the node", async () => {
    const { url, seen } = await withNode(() => [200, envelope(PUBLISHED)]);
    using folder = makeFolder({ "bad.ts": "export default {\n  fetch( {\n" });
    const ran = await runEdge(["publish", "bad.ts", "--json", "--admin", url], {
      cwd: folder.path,
    });
    expect(ran.code).toBe(1);
    expect(document(ran.stdout)).toMatchObject({
      ok: false,
      error: { code: "SOURCE_INVALID", detail: { diagnostics: [{ file: "bad.ts", line: 3 }] } },
    });
    expect(seen).toEqual([]);
  });

  test("a failure at the end of the stages is the command's failure", async () => {
    const refused = failure("ROUTE_CONFLICT", "Route /a of x and of y");
    const { url } = await withNode(() => [200, STAGES + refused]);
    using folder = makeFolder({ "hello.ts": HANDLER });
    const ran = await runEdge(["deploy", "hello.ts", "--admin", url], { cwd: folder.path });
    expect(ran.code).toBe(1);
    expect(ran.stdout).toBe("");
    expect(ran.stderr).toContain("error: Two routes answer the same requests (ROUTE_CONFLICT)");
    expect(ran.stderr).toContain("Route /a of x and of y");
    expect(ran.stderr).toContain("To do: Change one of the two patterns");
  });

  test("an answer that is cut short is no success", async () => {
    const { url } = await withNode(() => [200, STAGES]);
    using folder = makeFolder({ "hello.ts": HANDLER });
    const argv = ["publish", "hello.ts", "--json", "--admin", url];
    const ran = await runEdge(argv, { cwd: folder.path });
    expect(document(ran.stdout)).toMatchObject({ error: { code: "NODE_UNREACHABLE" } });
  });
});

describe("commands on endpoints", () => {
  test("list shows a table, or the node's data with --json", async () => {
    const routes = [{ host: "*", path: "/a", methods: ["GET"] }];
    const data = [{ name: "a", state: "loaded", version: "v1", generation: 2, routes }];
    const { url } = await withNode(() => [200, envelope(data)]);
    const ran = await runEdge(["list", "--admin", url]);
    expect(ran.stdout).toBe(
      "NAME  STATE   VERSION  GEN  ROUTES\na     loaded  v1       2    GET /a\n",
    );
    const json = await runEdge(["--json", "list", "--admin", url]);
    expect(document(json.stdout)).toEqual({ ok: true, data });
  });

  test("rollback sends the version that is named", async () => {
    const answer = envelope({ version: "v1", generation: 7 });
    const { url, seen } = await withNode(() => [200, answer]);
    const ran = await runEdge(["rollback", "a b", "v1", "--admin", url]);
    expect(ran.stdout).toBe("a b serves v1 (generation 7)\n");
    expect(seen[0]).toMatchObject({
      method: "POST",
      path: "/api/endpoints/a%20b/rollback",
      body: { version: "v1" },
    });
  });

  test("delete without --yes asks nobody and deletes nothing where nobody sits", async () => {
    const { url, seen } = await withNode(() => [200, envelope(null)]);
    const ran = await runEdge(["delete", "a", "--admin", url, "--json"]);
    expect(ran.code).toBe(2);
    expect(document(ran.stdout)).toMatchObject({ error: { code: "USAGE" } });
    expect(seen).toEqual([]);
    const forced = await runEdge(["delete", "a", "--yes", "--admin", url]);
    expect(forced).toMatchObject({ code: 0, stdout: "Deleted a\n" });
    expect(seen[0]).toMatchObject({ method: "DELETE", path: "/api/endpoints/a" });
  });

  test("the token of a node on this machine is read from its data folder", async () => {
    const { url, seen } = await withNode(() => [200, envelope([])]);
    using folder = makeFolder({ ".edge/admin-token": "abc\n", "other/admin-token": "def" });
    await runEdge(["list", "--admin", url], { cwd: folder.path });
    await runEdge(["list", "--admin", url, "--data", "other"], { cwd: folder.path });
    await runEdge(["list", "--admin", url], { cwd: folder.path, env: { EDGE_ADMIN_TOKEN: "e" } });
    expect(seen.map(({ token }) => token)).toEqual(["Bearer abc", "Bearer def", "Bearer e"]);
  });
});

describe("failures", () => {
  test("a refused token exits with 1 and says where the token is", async () => {
    const { url } = await withNode(() => [401, failure("UNAUTHORIZED", "No token")]);
    const ran = await runEdge(["list", "--admin", url]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain("set EDGE_ADMIN_TOKEN");
  });
  test.each(["<html>", `"text"`, "null", "[]", `{"ok":false}`])(
    "an answer %s that is no envelope is told as such",
    async (body) => {
      const { url } = await withNode(() => [200, body]);
      const ran = await runEdge(["list", "--json", "--admin", url]);
      expect(ran.code).toBe(1);
      expect(document(ran.stdout)).toMatchObject({ error: { code: "NODE_UNREACHABLE" } });
    },
  );
  test("a node that is not there is NODE_UNREACHABLE", async () => {
    const gone = await startFakeNode(() => [200, ""]);
    await gone.close();
    const ran = await runEdge(["list", "--json", "--admin", gone.url]);
    expect(document(ran.stdout)).toMatchObject({ ok: false, error: { code: "NODE_UNREACHABLE" } });
  });
  test.each([
    [["publsh"], "Did you mean publish?"],
    [[], "A command is missing"],
    [["show"], "missing required argument"],
    [["list", "--nope"], "unknown option"],
    [["list", "extra"], "too many arguments"],
    [["list", "--admin", "nonsense"], "--admin is an address"],
    [["serve", "--port", "70000"], "--port is a port"],
    [["serve", "--listener", "nginx"], "--listener is one of uws, node"],
    [["serve", "--workers", "0"], "--workers is a number"],
    [["serve", "--drain-timeout", "soon"], "--drain-timeout is a duration"],
    [["serve", "--worker-memory", "127MiB"], "--worker-memory is a size of 128MiB or more"],
    [["serve", "--isolate-memory", "15MiB"], "--isolate-memory is a size of 16MiB or more"],
    [
      ["serve", "--worker-memory", "128MiB", "--isolate-memory", "129MiB"],
      "--isolate-memory is part of --worker-memory, 128MiB; 129MiB is more",
    ],
    [["serve", "--limit-max", "wallMs"], "--limit-max takes NAME=VALUE"],
  ])("wrong usage %j exits with 2 and one document", async (argv, message) => {
    const plain = await runEdge(argv);
    expect(plain).toMatchObject({ code: 2, stdout: "" });
    expect(plain.stderr).toContain(message);
    const json = await runEdge([...argv, "--json"]);
    expect(json.code).toBe(2);
    expect(document(json.stdout)).toMatchObject({ ok: false, error: { code: "USAGE" } });
  });
  test("help and version go to stdout and exit with 0", async () => {
    const help = await runEdge(["publish", "--help"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toContain("Examples:\n  edge publish hello.ts");
    expect((await runEdge(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
