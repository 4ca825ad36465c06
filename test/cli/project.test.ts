import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { OptionSpec } from "../../cli/command.ts";
import { PROJECT_OPTIONS } from "../../cli/commands/publish.ts";
import { readServeOptions, serve } from "../../cli/commands/serve.ts";
import { listBindings, placeComplaint } from "../../cli/project/bindings.ts";
import { readProject } from "../../cli/project/project.ts";
import type { Project } from "../../cli/project/project.ts";
import { convertPattern } from "../../cli/project/wrangler.ts";
import { createValues } from "../../cli/values.ts";
import type { Values } from "../../cli/values.ts";
import { EdgeError } from "../../sdk/errors.ts";
import { makeFolder } from "./harness.ts";

function values(
  parsed: Readonly<Record<string, unknown>>,
  specs: readonly OptionSpec[] = PROJECT_OPTIONS,
  env: Readonly<Record<string, string>> = {},
): Values {
  return createValues(specs, parsed, env);
}

function read(
  files: Readonly<Record<string, string>>,
  flags: Readonly<Record<string, unknown>> = {},
  path = ".",
): { project: Project; warnings: readonly string[]; folder: string } {
  using folder = makeFolder(files);
  const warnings: string[] = [];
  const warn = (text: string): unknown => warnings.push(text);
  const project = readProject({ path, cwd: folder.path, values: values(flags), warn });
  return { project, warnings, folder: folder.path };
}

function errorOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof EdgeError) return `${error.code} ${error.message}`;
    throw error;
  }
  return "no error";
}

const any = (path: string, host = "*"): object => ({ host, path, methods: [] });

describe("edge.jsonc", () => {
  const CONFIG = `{
    // comments and trailing commas are fine
    "name": "api", "main": "src/api.ts",
    "routes": ["/a/:id", "Example.com/b", { "path": "/c", "methods": ["get"] }],
    "vars": { "A": 1, "B": "two" },
    "limits": { "wallMs": "10s", "bodyBytes": "1MiB", "memoryMb": 64 },
    "trust": "untrusted", "drainTimeout": "5s", "isolation": "group:api", "egress": ["Db.internal:5432", "10.1"],
    "triggers": { "crons": ["0 3 * * MON"] }, "compatibility_flags": ["nodejs_compat"],
    "env": { "production": { "name": "api-live", "vars": { "B": "three" }, "routes": ["/live"] } },
  }`;
  test("is read whole", () => {
    const { project, folder } = read({ "edge.jsonc": CONFIG });
    expect(project).toEqual({
      cwd: folder,
      entry: join(folder, "src/api.ts"),
      configFile: join(folder, "edge.jsonc"),
      name: "api",
      routes: [any("/a/:id"), any("/b", "example.com"), { ...any("/c"), methods: ["GET"] }],
      vars: { A: 1, B: "two" },
      limits: { wallMs: 10_000, bodyBytes: 1_048_576, memoryMb: 64 },
      trust: "untrusted",
      isolation: "group:api",
      egress: ["db.internal:5432", "10.0.0.1"],
      crons: ["0 3 * * MON"],
      compatibilityFlags: ["nodejs_compat"],
      services: {},
      drainTimeoutMs: 5_000,
    });
  });
  test("an environment inherits what it does not say", () => {
    const { project } = read({ "edge.jsonc": CONFIG }, { env: "production" });
    expect(project).toMatchObject({ name: "api-live", vars: { A: 1, B: "three" } });
    expect(project.routes).toEqual([any("/live")]);
    expect(project.limits).toMatchObject({ memoryMb: 64 });
    const wrong = errorOf(() => read({ "edge.jsonc": CONFIG }, { env: "staging" }));
    expect(wrong).toContain('USAGE edge.jsonc has no environment "staging"; it has production');
  });
  test("flags win over it", () => {
    const flags = {
      egress: ["[::1]:80"],
      name: "x",
      route: ["/r"],
      domain: ["d.com"],
      limit: ["memoryMb=256MiB"],
      isolation: "dedicated",
    };
    const { project } = read({ "edge.jsonc": CONFIG }, { ...flags, var: ["B=z"] });
    expect(project).toMatchObject({ name: "x", vars: { A: 1, B: "z" } });
    expect(project).toMatchObject({ limits: { memoryMb: 256, wallMs: 10_000 } });
    expect(project.egress).toEqual(["[::1]:80"]);
    expect(project.isolation).toBe("dedicated");
    const bare = errorOf(() => read({ "edge.jsonc": CONFIG }, { isolation: "group:" }));
    expect(bare).toContain('USAGE --isolation takes "shared", "dedicated" or "group:NAME"');
    const wrong = errorOf(() => read({ "edge.jsonc": CONFIG }, { egress: ["http://a"] }));
    expect(wrong).toBe('USAGE --egress is HOST or HOST:PORT, not "http://a"');
    expect(project.routes).toEqual([any("/r", "d.com")]);
  });
  test.each([
    ['{\n  "nam": "x"\n}', "MANIFEST_INVALID edge.jsonc:2:3: nam: there is no such field"],
    ['{ "name": 5 }', "MANIFEST_INVALID edge.jsonc:1:3: name: a text is expected"],
    ['{ "name": "a" "main": "b" }', "MANIFEST_INVALID edge.jsonc:1:15: comma expected here"],
    ['{ "name": "a",\n "name": "b" }', "edge.jsonc:2:2: name: this field stands here twice"],
    ["[]", "MANIFEST_INVALID edge.jsonc:1:1: an object is expected"],
    ["", "MANIFEST_INVALID edge.jsonc:1:1: value expected here"],
    ['{ "limits": { "cpu": 5 } }', 'edge.jsonc:1:15: There is no limit "cpu"'],
    [
      '{ "limits": { "memoryMb": 513 } }',
      "memoryMb is a whole number of MB from 8 to 512, not 513",
    ],
    ['{ "limits": { "memoryMb": 0 } }', "memoryMb is a whole number of MB from 8 to 512, not 0"],
    ['{ "limits": { "queue": -1 } }', "queue is a whole number from 0 to 10000, not -1"],
    [
      '{ "limits": { "cpuMs": "soon" } }',
      'cpuMs is a whole number of ms from 1 to 30000, not "soon"',
    ],
    [
      '{ "limits": { "wallMs": 0.5 } }',
      "wallMs is a whole number of ms from 1 to 3600000, not 0.5",
    ],
    ['{ "routes": ["/a/{"] }', "ROUTE_INVALID edge.jsonc:1:14: Route pattern"],
    ['{ "routes": [{ "path": "/a", "host": "a b" }] }', "ROUTE_INVALID edge.jsonc:1:14"],
    ['{ "routes": [{ "pth": "/a" }] }', "edge.jsonc:1:16: routes[0].pth: there is no such field"],
    ['{ "env": { "a": { "x": 1 } } }', "edge.jsonc:1:19: env.a.x: there is no such field"],
    [
      '{ "triggers": { "cron": [] } }',
      "triggers.cron: there is no such field here; there is crons",
    ],
    [
      '{ "compatibility_flags": ["nodejs"] }',
      "compatibility_flags[0]: there is no such flag; there are nodejs_compat",
    ],
    ['{ "triggers": { "crons": "a" } }', "triggers.crons: a list of cron expressions"],
    [
      '{ "triggers": { "crons": ["* * * * *", "* * * * 0"] } }',
      'triggers.crons[1]: "0" is no day of the week',
    ],
    ['{ "egress": "a" }', "egress: a list of hosts is expected"],
    ['{ "egress": ["a", "b/c"] }', 'egress[1]: a host is "HOST" or "HOST:PORT"'],
    ['{ "trust": "full" }', 'trust: it is "own" or "untrusted"'],
    ['{ "isolation": "request" }', 'isolation: "request" is none of "shared", "dedicated"'],
    ['{ "isolation": "group:A" }', 'isolation: "group:A" is none of "shared", "dedicated"'],
    ['{ "drainTimeout": 5 }', 'drainTimeout: it is a duration such as "30s"'],
  ])("%j is refused with its place", (text, expected) => {
    const files = { "edge.jsonc": text, "index.ts": "" };
    expect(errorOf(() => read(files))).toContain(expected);
  });
});

function bindingsOf(project: Project): readonly unknown[] {
  return listBindings(project.services).map(({ request, place }) => [request, place()]);
}

describe("bindings", () => {
  const CONFIG = `{
    "kv_namespaces": [{ "binding": "PAGES", "id": "0f2ac", "preview_id": "1" }],
    "d1_databases": [
      { "binding": "DB", "database_name": "shop", "database_id": "x", "migrations_dir": "sql" }
    ],
    "r2_buckets": [{ "binding": "FILES", "service": "files" }],
    "queues": {
      "producers": [{ "binding": "JOBS", "queue": "jobs", "delivery_delay": 3 }],
      "consumers": [{ "queue": "jobs", "max_batch_timeout": 2, "dead_letter_queue": "dead" }]
    },
    "send_email": [{ "name": "MAIL", "allowed_sender_addresses": ["a@b.c"] }],
    "ratelimits": [{ "name": "LIMIT", "namespace_id": "1", "simple": { "limit": 5, "period": 10 } }],
    "services": [{ "binding": "AUTH", "service": "auth" }],
    "env": { "live": { "kv_namespaces": [{ "binding": "PAGES", "id": "live" }] } }
  }`;
  const KINDS = [
    { kind: "kv", name: "PAGES", scope: "0f2ac" },
    { kind: "database", name: "DB", scope: "shop" },
    { kind: "storage", name: "FILES", service: "files" },
    { kind: "queue", name: "JOBS", scope: "jobs", options: { delivery_delay: 3 } },
    { kind: "email", name: "MAIL", options: { allowed_sender_addresses: ["a@b.c"] } },
    { kind: "ratelimit", name: "LIMIT", limit: 5, periodSeconds: 10 },
    { kind: "endpoint", name: "AUTH", endpoint: "auth" },
  ];
  test.each(["wrangler.jsonc", "edge.jsonc"])("of %s are those of wrangler", (file) => {
    const { project } = read({ [file]: CONFIG, "index.ts": "" });
    expect(listBindings(project.services).map(({ request }) => request)).toEqual(KINDS);
    expect(project.services.consumers?.map(({ request }) => request)).toEqual([
      { queue: "jobs", maxBatchTimeoutMs: 2_000, deadLetterQueue: "dead" },
    ]);
    expect(bindingsOf(project)[1]).toEqual([KINDS[1], `${file}:4:7`]);
  });
  test("of an environment replace those of the same field", () => {
    const { project } = read({ "edge.jsonc": CONFIG, "index.ts": "" }, { env: "live" });
    const requests = listBindings(project.services).map(({ request }) => request);
    expect(requests).toEqual([{ kind: "kv", name: "PAGES", scope: "live" }, ...KINDS.slice(1)]);
    expect(project.services.consumers).toHaveLength(1);
  });
  test("of edge.jsonc may be of any kind", () => {
    const text = `{ "bindings": [{ "binding": "C", "kind": "cache", "service": "s", "scope": "x" }] }`;
    const { project } = read({ "edge.jsonc": text, "index.ts": "" });
    expect(bindingsOf(project)).toEqual([
      [{ kind: "cache", name: "C", service: "s", scope: "x" }, "edge.jsonc:1:16"],
    ]);
  });
  test("of toml have their table's line", () => {
    const text = `main = "w.ts"
[[kv_namespaces]]
binding = "A"
id = "1"
[[kv_namespaces]] # the second
binding = "B"
idd = "2"
`;
    const wrong = errorOf(() => read({ "wrangler.toml": text }));
    expect(wrong).toContain("wrangler.toml:7:1: kv_namespaces[1].idd: there is no such field");
    const { project } = read({ "wrangler.toml": text.replace("idd", "id") });
    expect(bindingsOf(project)).toEqual([
      [{ kind: "kv", name: "A", scope: "1" }, "wrangler.toml:2:1"],
      [{ kind: "kv", name: "B", scope: "2" }, "wrangler.toml:5:1"],
    ]);
  });
  test.each([
    ['{ "kv_namespaces": {} }', "edge.jsonc:1:3: kv_namespaces: a list is expected"],
    ['{ "kv_namespaces": [1] }', "kv_namespaces[0]: an object is expected"],
    ['{ "kv_namespaces": [{}] }', "edge.jsonc:1:21: kv_namespaces[0]: binding is missing"],
    ['{ "r2_buckets": [{ "binding": 5 }] }', "r2_buckets[0].binding: a text is expected"],
    [
      '{ "bindings": [{ "binding": "A", "kind": "redis" }] }',
      'bindings[0].kind: "redis" is none of database, cache, kv, storage, email, queue',
    ],
    ['{ "queues": { "producer": [] } }', "queues.producer: there is no such field here"],
    ['{ "queues": { "consumers": [{ "queue": "q", "type": "http_pull" }] } }', 'only "worker"'],
    ['{ "queues": { "consumers": [{ "queue": "q", "max_retries": "3" }] } }', "a whole number"],
    ['{ "ratelimits": [{ "name": "R", "simple": { "limit": 5 } }] }', "{ limit, period }"],
    [
      '{ "services": [{ "binding": "A", "service": "b", "entry": "C" }] }',
      "services[0].entry: there is no such field here; there are entrypoint, binding, service",
    ],
  ])("%j are refused with their place", (text, expected) => {
    expect(errorOf(() => read({ "edge.jsonc": text, "index.ts": "" }))).toContain(expected);
  });
  test.each([
    {
      error: new EdgeError("BINDING_INVALID", "DB: no", { detail: { binding: "DB" } }),
      text: "edge.jsonc:4:7: DB: no",
    },
    {
      error: new EdgeError("BINDING_INVALID", "jobs: no", { detail: { binding: "jobs" } }),
      text: "edge.jsonc:9:21: jobs: no",
    },
    {
      error: new EdgeError("INPUT_INVALID", "no", {
        detail: { fields: [{ field: "bindings.2.scope", text: "no" }] },
      }),
      text: "edge.jsonc:6:20: no",
    },
    {
      error: new EdgeError("INPUT_INVALID", "no", { detail: { fields: [{ field: "vars" }] } }),
      text: "no",
    },
  ])("get the place in the node's complaint: $text", ({ error, text }) => {
    const { project } = read({ "edge.jsonc": CONFIG, "index.ts": "" });
    expect(placeComplaint(error, project.services)).toMatchObject({
      code: error.code,
      message: text,
    });
  });
});

describe("wrangler files", () => {
  test("jsonc gives name, entry, variables and routes", () => {
    const text = `{ "name": "w", "main": "w.js", "compatibility_date": "2026-01-01", "minify": true,
      "vars": { "A": { "b": 1 } }, "kv_namespaces": [],
      "routes": ["a.com/x/*", { "pattern": "b.com", "custom_domain": true }, "c.com/y*"] }`;
    const { project, warnings } = read({ "wrangler.jsonc": text });
    expect(project).toMatchObject({ name: "w", vars: { A: { b: 1 } } });
    expect(project.routes).toEqual([
      any("/x/*", "a.com"),
      any("/*", "b.com"),
      any("/y", "c.com"),
      any("/y/*", "c.com"),
    ]);
    expect(warnings).toEqual([
      "wrangler.jsonc: minify has no effect here",
      'wrangler.jsonc: routes[2] "c.com/y*" answers at /y and /y/* only',
    ]);
  });
  test("toml names the line of a field that is not supported", () => {
    const text = `name = "w"\nmain = "w.ts"\n\n[[vectorize]]\nbinding = "KV"\nid = "1"\n`;
    expect(errorOf(() => read({ "wrangler.toml": text }))).toBe(
      "MANIFEST_INVALID wrangler.toml:4:1: vectorize: " +
        "nodes do not support this wrangler field yet",
    );
    expect(errorOf(() => read({ "wrangler.toml": "name = \n" }))).toContain("wrangler.toml:1:");
  });
  test("edge.jsonc beside it is read instead", () => {
    const files = { "edge.jsonc": `{"name":"e"}`, "wrangler.json": `{"name":"w"}`, "index.ts": "" };
    expect(read(files).project.name).toBe("e");
  });
  test("patterns turn into routes", () => {
    expect(convertPattern("https://A.com/*")).toEqual([any("/*", "a.com")]);
    expect(convertPattern("a.com")).toEqual([any("/", "a.com")]);
    expect(convertPattern("*a.com/*")).toEqual([any("/*", "a.com"), any("/*", "*.a.com")]);
    expect(errorOf(() => convertPattern("a.com/*/b"))).toContain("can only be its last character");
  });
});

describe("a project without configuration", () => {
  test.each([
    ["Hello World.ts", "hello-world"],
    ["my-api/index.ts", "my-api"],
    ["my-api/src/worker.js", "my-api"],
    ["9lives.mjs", "lives"],
  ])("%s is called %s", (file, name) => {
    const { project } = read({ [file]: "" }, {}, file);
    expect(project).toMatchObject({ name, routes: [], configFile: null });
  });
  test("a folder gives its entry, or says what it looked for", () => {
    const { project, folder } = read({ "f/src/index.js": "" }, {}, "f");
    expect(project).toMatchObject({ name: "f", entry: join(folder, "f/src/index.js") });
    expect(errorOf(() => read({ "readme.md": "" }))).toContain('CONFIG_NOT_FOUND . has no "main"');
    expect(errorOf(() => read({}, {}, "gone.ts"))).toContain('no file or folder "gone.ts"');
  });
  test("--domain alone takes the whole domain, --method alone the default addresses", () => {
    const files = { "a.ts": "" };
    expect(read(files, { domain: ["d.com"] }, "a.ts").project.routes).toEqual([any("/*", "d.com")]);
    expect(read(files, { method: ["get"] }, "a.ts").project.routes).toEqual([
      { host: "*", path: "/a", methods: ["GET"] },
      { host: "*", path: "/a/*", methods: ["GET"] },
    ]);
  });
  test("variables of a file yield to those of flags", () => {
    const files = { "a.ts": "", "vars.json": `{ "A": 1, "B": 2 }` };
    const { project } = read(files, { envFile: "vars.json", var: ["B=x", "C="] }, "a.ts");
    expect(project.vars).toEqual({ A: 1, B: "x", C: "" });
  });
});

describe("serve options", () => {
  test("have the documented defaults", () => {
    const options = readServeOptions(values({}, serve.options), "/here");
    expect(options).toMatchObject({ port: 9_080, host: "0.0.0.0", adminPort: 9_081 });
    expect(options).toMatchObject({ adminHost: "127.0.0.1", data: "/here/.edge", listener: "uws" });
    expect(options).toMatchObject({ drainTimeoutMs: 30_000, defaultTrust: "own" });
    expect(options).toMatchObject({ standby: true, demo: true });
    expect(options.workers).toBeGreaterThan(0);
  });
  test("come from the environment where a flag is missing", () => {
    const env = {
      EDGE_PORT: "1234",
      EDGE_NO_DEMO: "1",
      EDGE_ALLOW_PRIVATE_EGRESS: "false",
      EDGE_LIMIT_MAX: "memoryMb=64,wallMs=1m",
      EDGE_DRAIN_TIMEOUT: "250ms",
    };
    const options = readServeOptions(values({ port: "99" }, serve.options, env), "/");
    expect(options).toMatchObject({ port: 99, demo: false, allowPrivateEgress: false });
    expect(options).toMatchObject({ limitMax: { memoryMb: 64, wallMs: 60_000 } });
    expect(options.drainTimeoutMs).toBe(250);
    expect(readServeOptions(values({}, serve.options, env), "/").port).toBe(1_234);
  });
});

describe("variables for development", () => {
  const CONFIG = `{ "name": "api", "vars": { "A": "file", "B": "file", "C": 1 }, "env": { "test": {} } }`;
  const PLAIN = [
    "# a comment",
    "",
    "A = plain # not this",
    "B='single # $C'",
    'QUOTED="two\\nlines"',
    "export EXPORTED=yes",
    "EMPTY=",
    "not a line of it",
  ].join("\n");
  const FILES = { "edge.jsonc": CONFIG, "index.ts": "", ".dev.vars": PLAIN };
  const varsOf = (
    files: Readonly<Record<string, string>>,
    flags: Readonly<Record<string, unknown>> = {},
    dev = true,
  ): Project["vars"] => {
    using folder = makeFolder(files);
    const input = { path: ".", cwd: folder.path, values: values(flags), warn: () => undefined };
    return readProject({ ...input, dev }).vars;
  };

  test("stand in .dev.vars, over those of the file and under those of flags", () => {
    expect(varsOf(FILES, { var: ["B=flag"] })).toEqual({
      A: "plain",
      B: "flag",
      C: 1,
      QUOTED: "two\nlines",
      EXPORTED: "yes",
      EMPTY: "",
    });
    expect(varsOf(FILES)["B"]).toBe("single # $C");
  });

  test("of an environment have a file that stands for the common one", () => {
    const files = { ...FILES, ".dev.vars.test": "A=test" };
    expect(varsOf(files, { env: "test" })).toEqual({ A: "test", B: "file", C: 1 });
    expect(varsOf(FILES, { env: "test" })["A"]).toBe("plain");
    expect(varsOf(files)["A"]).toBe("plain");
  });

  test("are not published", () => {
    expect(varsOf(FILES, {}, false)).toEqual({ A: "file", B: "file", C: 1 });
  });
});
