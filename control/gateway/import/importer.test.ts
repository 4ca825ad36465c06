// Files of the two gateways, what they become, and what is said of them.

import { describe, expect, test } from "vitest";
import { EdgeError } from "../../../sdk/errors.ts";
import type { GatewayConfig } from "../../../sdk/gateway/config.ts";
import { parseGatewayConfig } from "../config.ts";
import { importConfig, type Imported, type ImportFormat } from "./importer.ts";

function imported(format: ImportFormat, text: string): Imported & { config: GatewayConfig } {
  const made = importConfig(format, "/old.yaml", text);
  const variables = { JWT_SECRET: "s".repeat(32) };
  const config = parseGatewayConfig({ path: "/edge.yaml", text: made.yaml, variables });
  return { ...made, config };
}

function refusal(format: ImportFormat, text: string): string {
  try {
    importConfig(format, "/old.yaml", text);
  } catch (error) {
    if (error instanceof EdgeError) return error.message;
    throw error;
  }
  return "";
}

const FERROWAY = `
server: { host: 0.0.0.0, port: 8080, health_check_interval_secs: 5, threads: 4 }
routes:
  - path: /api/users
    backends: ["http://127.0.0.1:3001", "http://127.0.0.1:3002"]
    auth_required: true
  - path: /
    backends: [ { host: web.internal, port: 80, healthy: true } ]
  - { path: /api/users, backends: ["http://127.0.0.1:9"] }
rate_limit: { max_tokens: 10, refill_rate: 2 }
auth: { jwt_secret: hunter2 }
cors: { allowed_origins: ["*"], allowed_methods: [GET], allowed_headers: ["*", x-a], allow_credentials: true }
`;

describe("ferroway", () => {
  const { config, notes, yaml } = imported("ferroway", FERROWAY);
  const said = notes.map(({ line, text }) => `${line} ${text}`);

  test("routes, backends and checks become routes and upstreams", () => {
    expect(
      config.upstreams.map(({ name, servers }) => [name, servers.map(({ url }) => url)]),
    ).toEqual([
      ["api-users", ["http://127.0.0.1:3001", "http://127.0.0.1:3002"]],
      ["root", ["http://web.internal"]],
    ]);
    expect(config.upstreams[0]?.health).toMatchObject({ intervalMs: 5_000 });
    const routes = config.routes.map(({ match, target }) => ({ path: match.path, target }));
    expect(routes).toMatchObject([
      { path: "/api/users", target: { upstream: "api-users" } },
      { path: "/api/users/*", target: { upstream: "api-users" } },
      { path: "/*", target: { upstream: "root" } },
    ]);
  });

  test("limit, CORS and tokens become policies", () => {
    const kinds = config.routes.map(({ policies }) => policies.map(({ kind }) => kind));
    expect(kinds).toEqual([
      ["cors", "rateLimit", "jwt"],
      ["cors", "rateLimit", "jwt"],
      ["cors", "rateLimit"],
    ]);
    const [cors, limit] = config.routes[2]?.policies ?? [];
    expect(cors).toMatchObject({ origins: ["*"], headers: ["x-a"], credentials: false });
    expect(limit).toMatchObject({ algorithm: "token-bucket", capacity: 10, refillPerSec: 2 });
  });

  test("what has no counterpart is named with its line, and stands in the file", () => {
    expect(said).toContain("2 server.threads (4) has no counterpart and is left out");
    expect(said).toContain(
      "8 routes.1.backends.0.healthy (true) has no counterpart and is left out",
    );
    expect(yaml).toContain(
      "# - line 2: where it listens is not in this file: edge serve --port 8080",
    );
  });

  test("DF12, DF15: what is no longer the same is said", () => {
    expect(said.join("\n")).toContain("4 /api/users no longer answers for /api/usersx");
    expect(said.join("\n")).toContain("a client is its address without the port");
    expect(said.join("\n")).toContain("9 a second route for /api/users is left out");
  });

  test("DF17: the secret is in nothing that comes out", () => {
    expect(JSON.stringify([yaml, notes])).not.toContain("hunter2");
    expect(said.join("\n")).toContain("HS256 needs 32 bytes");
  });
});

describe("rust-gateway", () => {
  const { config, notes } = imported(
    "rust-gateway",
    "port: 3000\nauth: { jwt_secret: supersecret }\nroutes:\n" +
      "  - { path: /users, service: users }\n  - { path: /me, service: users }\n",
  );
  const said = notes.map(({ text }) => text).join("\n");

  test("services register themselves, every route is protected and limited", () => {
    expect(config.upstreams).toMatchObject([
      {
        name: "users",
        servers: [],
        breaker: { failures: 3, openForMs: 30_000 },
        retry: { attempts: 3 },
      },
    ]);
    expect(config.routes.map(({ match }) => match.path)).toEqual(["/users", "/me"]);
    for (const { policies } of config.routes) {
      expect(policies).toMatchObject([
        { kind: "rateLimit", algorithm: "fixed-window", capacity: 100, windowMs: 60_000 },
        { kind: "jwt", algorithms: ["HS256"] },
      ]);
    }
  });

  test("DF13, DF14, DF15: retries, registration and the global limit are no longer the same", () => {
    expect(said).toContain("only with an Idempotency-Key");
    expect(said).toContain("there is no open POST /register");
    expect(said).toContain("no longer uses up everybody's");
  });
});

test.each<[ImportFormat, string, string]>([
  ["ferroway", "routes: [ { path: api, backends: [] } ]", "old.yaml:1:19: routes[0].path"],
  ["ferroway", "routes: [ { path: '/a/{b}', backends: [] } ]", "old.yaml:1:19: routes[0].path"],
  ["ferroway", "routes: [ { path: /a, backends: [1] } ]", "old.yaml:1:34: routes[0].backends[0]"],
  ["ferroway", "rate_limit: { max_tokens: 0, refill_rate: 1 }", "a number of at least 1"],
  ["ferroway", "rate_limit: { max_tokens: 1, refill_rate: 0 }", "a number above 0"],
  ["ferroway", "routes: [", "old.yaml:1:"],
  ["ferroway", "- a", "old.yaml:1:1"],
  ["rust-gateway", "port: 65536", "a whole number from 0 to 65535"],
  ["rust-gateway", "routes:\n  - { path: /a }", "old.yaml:2:5: routes[0].service: missing"],
])("%s: %j is refused with its place", (format, text, place) => {
  expect(refusal(format, text)).toContain(place);
});

test("texts of the other file never become structure, variables or patterns", () => {
  const { config } = imported(
    "ferroway",
    `cors: { allowed_origins: ["https://\${HOME}"] }\n` +
      `routes: [ { path: "/a-~b", backends: ["http://127.0.0.1:1"] } ]\n`,
  );
  expect(config.routes[0]?.policies).toMatchObject([
    { kind: "cors", origins: ["https://${HOME}"] },
  ]);
});

test("an empty file becomes an empty configuration", () => {
  expect(imported("ferroway", "").config).toMatchObject({ upstreams: [], routes: [] });
});
