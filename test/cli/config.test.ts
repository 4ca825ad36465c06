import { expect, test } from "vitest";
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
