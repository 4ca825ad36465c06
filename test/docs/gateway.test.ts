// What docs/gateway.md shows of the configuration file is one.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseConfigFile, parseGatewayConfig } from "../../control/gateway/config.ts";
import { gatewayJsonSchema } from "../../control/gateway/schema.ts";
import { createSelfSigned } from "../../runtime/supervisor/tls/self-signed.ts";
import { temporary } from "../temporary.ts";

const read = (name: string): string =>
  readFileSync(join(import.meta.dirname, "../../docs", name), "utf8");
const yamlIn = (document: string): string[] =>
  Array.from(document.matchAll(/```yaml\n([^]*?)```/g), ([, yaml = ""]) => yaml);

const text = read("gateway.md");
const examples = yamlIn(text);

test("every example is a valid configuration", () => {
  using folder = temporary();
  mkdirSync(join(folder.path, "certs"));
  for (const name of ["a", "b"]) {
    const { cert, key } = createSelfSigned([`${name}.example`], Date.now());
    writeFileSync(join(folder.path, `certs/${name}.pem`), cert);
    writeFileSync(join(folder.path, `certs/${name}.key`), key);
  }
  expect(examples.length).toBeGreaterThan(0);
  for (const yaml of examples) {
    const secrets = ["JWT_SECRET", "MOBILE_KEY", "ANN_PASSWORD", "REDIS_PASSWORD"];
    const variables = Object.fromEntries(secrets.map((name) => [name, "x".repeat(32)]));
    const path = join(folder.path, "edge.yaml");
    const { routes, tls } = parseGatewayConfig({ path, text: yaml, variables });
    expect(routes.length + (tls?.certificates.length ?? 0)).toBeGreaterThan(0);
  }
});

test("every field of an upstream and every policy is named", () => {
  const schema = JSON.stringify(gatewayJsonSchema());
  const at = (object: unknown, ...path: string[]): unknown =>
    path.reduce((value: unknown, name) => Reflect.get(Object(value), name), object);
  const parsed: unknown = JSON.parse(schema);
  const fields = at(parsed, "properties", "upstreams", "additionalProperties", "properties");
  const policies = at(parsed, "properties", "policies", "items", "properties");
  const names = [fields, policies].flatMap((of) => Object.keys(of as object));
  expect(names.length).toBeGreaterThan(15);
  for (const name of names) expect(text).toContain(`${name}`);
});

test("the faults of docs/faults.md are a valid configuration", () => {
  const [yaml = ""] = yamlIn(read("faults.md"));
  const { faults } = parseGatewayConfig({ path: "/edge.yaml", text: yaml, variables: {} });
  expect(faults["pages"]).toMatchObject({ PAGES: { delayShare: 0.1, failShare: 0.02 } });
});

test("the services of docs/services.md are a valid configuration", () => {
  const [yaml = ""] = yamlIn(read("services.md"));
  const variables = { PG_PASSWORD: "pa55-of-the-database" };
  const { services } = parseConfigFile({ path: "/edge.yaml", text: yaml, variables });
  expect(Object.keys(services.byName)).toEqual(["main-db", "sessions", "files"]);
});
