import { expect, test } from "vitest";
import { parseConfigFile } from "../gateway/config.ts";
import { gatewayJsonSchema } from "../gateway/schema.ts";
import type { ServiceFields } from "./file.ts";
import { showFileServices } from "./shown.ts";

const VARIABLES = { PG_PASSWORD: "pa55-of-the-database" };

function parse(text: string): Readonly<Record<string, ServiceFields>> {
  return parseConfigFile({ path: "/edge.yaml", text, variables: VARIABLES }).services.byName;
}

function faults(text: string): string {
  try {
    parse(text);
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const TYPES = "embedded, sqlite, postgres, redis, memcached, minio, email, postgresql, s3, smtp";

test("services of a file have the fields and defaults of the admin API, variables filled in", () => {
  const text = `services:
  main-db: { type: postgresql, host: db, database: shop, username: shop, password: "\${PG_PASSWORD}" }
  sessions: { type: redis, host: r, password: "\${secret:REDIS_PASSWORD}", enabled: false }
`;
  const services = parse(text);
  expect(services).toMatchObject({
    "main-db": {
      type: "postgres",
      enabled: true,
      config: { host: "db", port: 5_432, pool_size: 10, password: VARIABLES.PG_PASSWORD },
    },
    sessions: {
      type: "redis",
      enabled: false,
      config: { port: 6_379, password: "${secret:REDIS_PASSWORD}" },
    },
  });
  expect(parse("routes: []\n")).toEqual({});
});

test("services of a file are shown without secrets", () => {
  const text = `services: { b: { type: redis, host: r, password: "\${PG_PASSWORD}" }, a: { type: embedded } }`;
  const { services } = parseConfigFile({ path: "/edge.yaml", text, variables: VARIABLES });
  const shown = showFileServices(services);
  expect(shown.map(({ name }) => name)).toEqual(["a", "b"]);
  expect(shown[1]?.config).toMatchObject({ host: "r", password: "***" });
  expect(JSON.stringify(shown)).not.toContain(VARIABLES.PG_PASSWORD);
});

test.each([
  ["no map", "services: 5", "edge.yaml:1:11: services: found 5; expected services by name"],
  [
    "no service",
    "services: { db: 5 }",
    "edge.yaml:1:17: services.db: found 5; expected a service: its type, and fields of its configuration",
  ],
  [
    "no type",
    "services: { db: { host: h } }",
    `edge.yaml:1:17: services.db.type: missing; expected one of ${TYPES}`,
  ],
  [
    "a type that is none",
    "services: { db: { type: postgre } }",
    `edge.yaml:1:25: services.db.type: found "postgre"; expected one of ${TYPES}. Did you mean postgres?`,
  ],
  [
    "a field that the type has not",
    "services: { db: { type: sqlite, pth: a.db, path: a.db } }",
    'edge.yaml:1:33: services.db.pth: unknown key "pth"; expected one of type, enabled, concurrency, queue, timeout_seconds, path, create_if_missing. Did you mean path?',
  ],
  [
    "a field of another type of value",
    "services:\n  r: { type: redis, host: r,\n    port: x }",
    'edge.yaml:3:11: services.r.port: found "x"; expected a number',
  ],
  [
    "a number that is too large",
    "services: { r: { type: redis, host: r, port: 65536 } }",
    "edge.yaml:1:46: services.r.port: found 65536; expected a number to be <=65535",
  ],
  [
    "a choice that is none",
    "services: { m: { type: smtp, host: h, encryption: startls, from_address: a@b.c } }",
    'edge.yaml:1:51: services.m.encryption: found "startls"; expected one of none, starttls, tls. Did you mean starttls?',
  ],
  [
    "a field that is missing",
    "services: { m: { type: memcached } }",
    "edge.yaml:1:16: services.m.servers: missing; expected a list",
  ],
  [
    "an item of a list",
    "services: { m: { type: memcached, servers: [a] } }",
    'edge.yaml:1:45: services.m.servers[0]: found "a"; expected HOST:PORT',
  ],
  [
    "a secret of another type, without showing it",
    "services: { r: { type: redis, host: r, password: 1234 } }",
    "edge.yaml:1:50: services.r.password: wrong; expected a text",
  ],
  [
    "a mask, which stands for nothing here",
    'services: { r: { type: redis, host: r, password: "***" } }',
    "edge.yaml:1:50: services.r.password: wrong; expected the secret itself, not ***",
  ],
  [
    "half a reference",
    'services: { r: { type: redis, host: "a${secret:B}" } }',
    'edge.yaml:1:37: services.r.host: found "a${secret:B}"; expected a text that is ${secret:NAME} as a whole, or not at all',
  ],
  [
    "a reference to a secret outside of services",
    'consumers: { ann: { keys: ["${secret:ANN}"] } }',
    'edge.yaml:1:28: "${secret:ANN}"; expected a variable such as ${JWT_SECRET}, or $${ for a plain ${',
  ],
  [
    "a variable that is not set",
    'services: { r: { type: redis, host: "${NONE}" } }',
    "edge.yaml:1:37: the variable NONE is not set; expected NONE in the environment",
  ],
  [
    "a name that is taken",
    "services: { embedded: { type: embedded } }",
    "edge.yaml:1:13: services.embedded: a bad name; expected another name: embedded and embedded-postgres are always there",
  ],
  [
    "a name that is none",
    'services: { "a/b": { type: embedded } }',
    "edge.yaml:1:13: services.a/b: a bad name; expected a name of 1 to 63 letters, digits, blanks, -, _ and .",
  ],
])("services of a file: %s is told with its place", (_what, text, fault) => {
  expect(faults(text)).toBe(fault);
});

test("a file has 100 services at most", () => {
  const services = (count: number): string =>
    `services: { ${Array.from({ length: count }, (_, n) => `s${n}: { type: embedded }`).join(", ")} }`;
  expect(faults(services(100))).toBe("");
  expect(faults(services(101))).toContain("expected at most 100 services");
});

test("the schema for editors has a form per type, with its names", () => {
  const at = (value: unknown, ...path: string[]): unknown =>
    path.reduce((inner: unknown, name) => Reflect.get(Object(inner), name), value);
  const forms = at(gatewayJsonSchema(), "properties", "services", "additionalProperties", "anyOf");
  expect(forms).toHaveLength(7);
  expect(forms).toContainEqual(
    expect.objectContaining({
      properties: expect.objectContaining({
        type: { enum: ["sqlite"] },
        create_if_missing: { default: true, type: "boolean" },
      }) as object,
      required: ["type", "path"],
      additionalProperties: false,
    }),
  );
});
