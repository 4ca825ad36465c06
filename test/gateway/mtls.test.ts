// Who a client is by its certificate: at the listener, in the policy, and in what those behind are told.

import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseGatewayConfig } from "../../control/gateway/config.ts";
import { createSelfSigned } from "../../runtime/supervisor/tls/self-signed.ts";
import { temporary } from "../temporary.ts";
import { openFront, type Front } from "./front.ts";

const OWN = createSelfSigned(["a.example"], Date.now());
/** Each is its own authority; the node knows the first two. */
const GOOD = createSelfSigned(["good.example", "10.0.0.7"], Date.now());
const OTHER = createSelfSigned(["other.example"], Date.now());
const STRANGER = createSelfSigned(["good.example"], Date.now());
const FINGERPRINT = new X509Certificate(GOOD.cert).fingerprint256.replaceAll(":", "").toLowerCase();

const ROUTES = `
routes:
  - name: whoever
    match: { path: /any }
    target: { endpoint: app }
    policies:
      - mtls:
          forward: { subject: x-subject, names: x-names, fingerprint: x-print, xfcc: x-forwarded-client-cert }
  - { name: named, match: { path: /named }, target: { endpoint: app }, policies: [ mtls: { allow: ["DNS:good.example"] } ] }
  - { name: print, match: { path: /print }, target: { endpoint: app }, policies: [ mtls: { allow: ["SHA256:${FINGERPRINT.toUpperCase()}"] } ] }
  - { name: common, match: { path: /common }, target: { endpoint: app }, policies: [ mtls: { allow: ["CN:good.example"] } ] }
  - { name: open, match: { path: /open }, target: { endpoint: app } }
`;

const folder = temporary();
let front: Front;
let strict: Front;

function configuration(mode: string): string {
  writeFileSync(join(folder.path, "own.crt"), OWN.cert);
  writeFileSync(join(folder.path, "own.key"), OWN.key);
  writeFileSync(join(folder.path, "clients.crt"), GOOD.cert + OTHER.cert);
  const file = (name: string): string => join(folder.path, name);
  return (
    `tls: { certificates: [ { cert: ${file("own.crt")}, key: ${file("own.key")} } ], ` +
    `clientAuth: ${mode}, clientCa: ${file("clients.crt")} }\n${ROUTES}`
  );
}

beforeAll(async () => {
  front = await openFront(configuration("request"), { kind: "node" });
  strict = await openFront(configuration("require"), { kind: "node" });
});

afterAll(async () => {
  await front[Symbol.asyncDispose]();
  await strict[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

async function ask(
  path: string,
  client: { cert: string; key: string } | null,
  { port = front.port, headers = {} }: { port?: number; headers?: Record<string, string> } = {},
): Promise<[number, string]> {
  const options = {
    port,
    host: "127.0.0.1",
    path,
    headers,
    rejectUnauthorized: false,
    agent: false,
  };
  const req = request({ ...options, ...client }).end();
  const [res] = (await once(req, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of res) text += String(chunk);
  return [res.statusCode ?? 0, text];
}

test("those behind are told of the certificate, and of no other", async () => {
  const spoofed = {
    "x-subject": "CN=root",
    "x-names": "DNS:root",
    "x-print": "00",
    "x-forwarded-client-cert": "Hash=00",
  };
  const [status, text] = await ask("/any", GOOD, { headers: spoofed });
  expect(status).toBe(200);
  expect(text).toContain("x-subject\nCN=good.example\n");
  expect(text).toContain("x-names\nDNS:good.example, IP:10.0.0.7\n");
  expect(text).toContain(`x-print\n${FINGERPRINT}\n`);
  expect(text).toContain(
    `x-forwarded-client-cert\nHash=${FINGERPRINT};Subject="CN=good.example";DNS=good.example\n`,
  );
  expect(text).not.toMatch(/root|=00|\n00\n/);
});

test("what tells of certificates is taken from a request also where nothing is told", async () => {
  const [, text] = await ask("/named", GOOD, { headers: { "x-forwarded-client-cert": "Hash=00" } });
  expect(text).not.toContain("x-forwarded-client-cert");
});

test.each([
  ["/any", "without a certificate", null, 401],
  ["/any", "with one of an unknown authority", STRANGER, 401],
  ["/any", "with another that is known", OTHER, 200],
  ["/named", "with the name", GOOD, 200],
  ["/named", "with the name, of an unknown authority", STRANGER, 401],
  ["/named", "with another name", OTHER, 403],
  ["/print", "with the fingerprint", GOOD, 200],
  ["/print", "with another fingerprint", OTHER, 403],
  ["/common", "with the common name", GOOD, 200],
  ["/common", "with another common name", OTHER, 403],
  ["/open", "without a certificate", null, 200],
])("%s %s", async (path, _with, client, status) => {
  expect((await ask(path, client))[0]).toBe(status);
});

test("streams of HTTP/2 are their connection's client", async () => {
  const session = connectHttp2(`https://127.0.0.1:${front.port}`, {
    rejectUnauthorized: false,
    ...GOOD,
  });
  const statuses = await Promise.all(
    ["/named", "/any"].map(async (path) => {
      const stream = session.request({ ":path": path });
      const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
      stream.close();
      return headers[":status"];
    }),
  );
  session.destroy();
  expect(statuses).toEqual([200, 200]);
});

test("where it is required, nobody without one gets as far as a request", async () => {
  const { port } = strict;
  expect((await ask("/open", GOOD, { port }))[0]).toBe(200);
  await expect(ask("/open", null, { port })).rejects.toThrow();
  await expect(ask("/open", STRANGER, { port })).rejects.toThrow();
});

test.each([
  [ROUTES, "an mtls policy, but clients are asked for no certificate"],
  [configuration("none"), "clientCa without the other"],
  [configuration("request").replace("clients.crt", "none.crt"), "none.crt cannot be used"],
  [configuration("request").replace("clients.crt", "own.key"), "own.key cannot be used"],
  [configuration("maybe"), "one of none, request, require"],
  [configuration("request").replace("DNS:good", "good"), "CN:NAME, DNS:NAME"],
])("a configuration in which nobody could tell is refused", (text, message) => {
  const path = join(folder.path, "edge.yaml");
  expect(() => parseGatewayConfig({ path, text, variables: {} })).toThrow(message);
});
