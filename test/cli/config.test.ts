import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { Passwords } from "../../runtime/gateway/policies/auth/passwords.ts";
import { parseGatewayConfig } from "../../control/gateway/config.ts";
import { makeFolder, runEdge } from "./harness.ts";

const VALID = `
upstreams: { a: { servers: ["http://127.0.0.1:1"] } }
routes: [ { match: { path: / }, target: { upstream: a } } ]
`;

test("edge config validate counts what a valid file holds", async () => {
  using folder = makeFolder({ "edge.yaml": VALID });
  const { code, stdout } = await runEdge(["config", "validate", "edge.yaml"], { cwd: folder.path });
  expect(code).toBe(0);
  expect(stdout).toBe("edge.yaml is valid: 1 route, 1 upstream, 1 server.\n");
});

test("edge config validate ends with 1 and names every place that is wrong", async () => {
  using folder = makeFolder({ "edge.yaml": "routes: [ { mach: {} } ]\n" });
  const { code, stderr } = await runEdge(["config", "validate", "edge.yaml"], { cwd: folder.path });
  expect(code).toBe(1);
  expect(stderr).toContain("edge.yaml:1:13: routes[0].mach: unknown key");
  expect(stderr).toContain("Did you mean match?");
});

test("edge config validate --json has the faults as data", async () => {
  using folder = makeFolder({ "edge.yaml": "routes: 1\n" });
  const { code, stdout } = await runEdge(["config", "validate", "edge.yaml", "--json"], {
    cwd: folder.path,
  });
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    ok: false,
    error: {
      code: "GATEWAY_CONFIG_INVALID",
      detail: { faults: [{ line: 1, column: 9, field: "routes", expected: "a list of routes" }] },
    },
  });
});

test("a file that is not there is told by its path; another action is wrong usage", async () => {
  using folder = makeFolder({});
  const missing = await runEdge(["config", "validate", "none.yaml"], { cwd: folder.path });
  expect([missing.code, missing.stderr.includes("none.yaml cannot be read")]).toEqual([1, true]);
  const other = await runEdge(["config", "explode", "none.yaml"], { cwd: folder.path });
  expect(other.code).toBe(2);
});

test("edge config hash-password makes what the file takes and the gateway verifies", async () => {
  const stdin = new PassThrough().end("correct horse\n");
  const { code, stdout } = await runEdge(["config", "hash-password"], { stdin });
  expect(code).toBe(0);
  const text = `consumers: { ann: { password: "${stdout.trim()}" } }`;
  const { consumers } = parseGatewayConfig({ path: "/edge.yaml", text, variables: {} });
  const stored = consumers[0]?.password;
  if (stored?.kind !== "scrypt") throw new Error("no scrypt hash");
  const passwords = new Passwords();
  expect(await passwords.verify("correct horse", stored)).toBe(true);
  expect(await passwords.verify("correct horses", stored)).toBe(false);
});

test.each([
  [7, 1],
  [8, 0],
  [1_024, 0],
  [1_025, 1],
])("edge config hash-password ends a password of %d characters with %d", async (length, ends) => {
  const stdin = new PassThrough().end("x".repeat(length));
  expect((await runEdge(["config", "hash-password"], { stdin })).code).toBe(ends);
});

test("edge config import prints a file that validates, and tells what differs", async () => {
  using folder = makeFolder({
    "old.yaml": "routes: [ { path: /a, backends: ['http://127.0.0.1:1'] } ]\nplugins: []\n",
  });
  const args = ["config", "import", "--from", "ferroway", "old.yaml"];
  const made = await runEdge(args, { cwd: folder.path });
  expect([made.code, made.stderr]).toEqual([0, expect.stringContaining("old.yaml:2: plugins")]);
  const { upstreams } = parseGatewayConfig({ path: "/e.yaml", text: made.stdout, variables: {} });
  expect(upstreams.map(({ name }) => name)).toEqual(["a"]);
  const json = await runEdge([...args, "--json"], { cwd: folder.path });
  expect(JSON.parse(json.stdout)).toMatchObject({ ok: true, data: { yaml: made.stdout } });
});

test("edge config import without or with another format is wrong usage", async () => {
  using folder = makeFolder({ "old.yaml": "" });
  for (const from of [[], ["--from", "kong"]]) {
    const args = ["config", "import", ...from, "old.yaml"];
    expect((await runEdge(args, { cwd: folder.path })).code).toBe(2);
  }
});
