import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createSelfSigned } from "../../runtime/supervisor/tls/self-signed.ts";
import type { FrontTls } from "../../sdk/gateway/config.ts";
import { temporary } from "../../test/temporary.ts";
import { parseGatewayConfig } from "./config.ts";

function parse(folder: string, text: string): FrontTls | null {
  return parseGatewayConfig({ path: join(folder, "edge.yaml"), text, variables: {} }).tls;
}

function put(folder: string, name: string, ...hosts: string[]): void {
  const { cert, key } = createSelfSigned(hosts, Date.now());
  writeFileSync(join(folder, `${name}.crt`), cert);
  writeFileSync(join(folder, `${name}.key`), key);
}

const one = (more: string): string =>
  `tls:\n  certificates: [ { cert: a.crt, key: a.key } ]\n  ${more}\n`;

test("a certificate is for the names in it, where the file gives none", () => {
  using folder = temporary();
  put(folder.path, "a", "A.example", "*.w.example", "127.0.0.1");
  expect(parse(folder.path, one(""))).toMatchObject({
    certificates: [{ hosts: ["a.example", "*.w.example"], keyFile: join(folder.path, "a.key") }],
    minVersion: "TLSv1.2",
    redirectPort: null,
    hsts: "",
  });
  const given = "tls: { certificates: [ { cert: a.crt, key: a.key, hosts: [bücher.example] } ] }";
  expect(parse(folder.path, given)?.certificates[0]?.hosts).toEqual(["xn--bcher-kva.example"]);
});

test.each([
  ["minVersion: 1.3", { minVersion: "TLSv1.3" }],
  ['minVersion: "1.3"', { minVersion: "TLSv1.3" }],
  ["redirect: true", { redirectPort: 0 }],
  ["redirect: 443", { redirectPort: 443 }],
  ["hsts: true", { hsts: "max-age=31536000" }],
  [
    "hsts: { maxAge: 5, includeSubDomains: true, preload: true }",
    { hsts: "max-age=5; includeSubDomains; preload" },
  ],
])("%s", (text, tls) => {
  using folder = temporary();
  put(folder.path, "a", "a.example");
  expect(parse(folder.path, one(text))).toMatchObject(tls);
});

test.each([
  ["tls: { certificates: [] }", "at least one certificate"],
  ["tls: { certificates: [ { cert: a.crt, key: b.key } ] }", /cannot be used: .*mismatch/],
  ["tls: { certificates: [ { cert: a.crt, key: none.key } ] }", "none.key cannot be read"],
  ["tls: { certificates: [ { cert: a.key, key: a.key } ] }", "cannot be used"],
  [one("minVersion: 1.1"), "1.2 or 1.3"],
  [one("redirect: 0"), "from 1 to 65535"],
  ["tls: { certificates: [ { cert: a.crt, key: a.key, hosts: ['a b'] } ] }", "a host such as"],
])("%s is refused with its place", (text, message) => {
  using folder = temporary();
  put(folder.path, "a", "a.example");
  put(folder.path, "b", "b.example");
  expect(() => parse(folder.path, text)).toThrow(message);
  expect(() => parse(folder.path, text)).toThrow(/edge\.yaml:\d+:\d+: tls/);
});
