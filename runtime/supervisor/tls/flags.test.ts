import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporary } from "../../../test/temporary.ts";
import { EMPTY_GATEWAY, type FrontTls } from "../../../sdk/gateway/config.ts";
import type { ServeOptions } from "../../../sdk/serve.ts";
import { checkFront, checkProxies } from "./check.ts";
import { tlsFlags, withFlags } from "./flags.ts";
import { createSelfSigned } from "./self-signed.ts";

const DAY_MS = 86_400_000;
const TLS: FrontTls = {
  certificates: [],
  minVersion: "TLSv1.3",
  clientAuth: "none",
  clientCa: "",
  clientCaFile: "",
  redirectPort: null,
  hsts: "",
};

function options(flags: Partial<ServeOptions>): ServeOptions {
  return { tlsSelfSigned: false, ...flags } as ServeOptions;
}

test.each([
  [{ tlsCert: "/x" }, "go together"],
  [{ tlsKey: "/x" }, "go together"],
  [{ tlsCert: "/x", tlsKey: "/x", tlsSelfSigned: true }, "is for a node without"],
])("flags that do not fit together are refused: %j", (flags, message) => {
  expect(() => tlsFlags(options(flags), "/none")).toThrow(message);
});

test("a certificate that cannot be read is refused", () => {
  const flags = tlsFlags(options({ tlsCert: "/none.crt", tlsKey: "/none.key" }), "/none");
  expect(flags).toThrow("/none.crt cannot be read");
});

test("flags beside tls in the file are refused, and are nothing where they are not given", () => {
  const config = { ...EMPTY_GATEWAY, tls: TLS };
  expect(() => withFlags(config, () => TLS)).toThrow("choose one");
  expect(withFlags(config, tlsFlags(options({}), "/none"))).toBe(config);
});

test("a certificate of the node's own is made anew when it is about to end, or half there", () => {
  using folder = temporary();
  const flags = options({ tlsSelfSigned: true });
  const made = tlsFlags(flags, folder.path)?.().certificates[0];
  expect(made?.hosts).toContain("localhost");
  expect(tlsFlags(flags, folder.path)?.().certificates[0]).toEqual(made);
  const path = join(folder.path, "tls/self-signed.crt");
  writeFileSync(path, createSelfSigned(["old"], Date.now() - 368 * DAY_MS).cert);
  tlsFlags(flags, folder.path)?.();
  expect(new X509Certificate(readFileSync(path)).subject).toBe("CN=localhost");
});

test("a certificate that vouches for itself is what it says", () => {
  const nowMs = Date.UTC(2030, 0, 2);
  const hosts = ["a.example", "*.b.example", "127.0.0.1", "::1", "2001:db8::5:0"];
  const { cert, key } = createSelfSigned(hosts, nowMs);
  const read = new X509Certificate(cert);
  expect(read.verify(read.publicKey)).toBe(true);
  expect(read.checkHost("x.b.example")).toBe("*.b.example");
  for (const address of hosts.slice(2)) expect(read.checkIP(address)).toBe(address);
  expect(Date.parse(read.validFrom)).toBe(nowMs - DAY_MS / 24);
  expect(Date.parse(read.validTo)).toBe(nowMs + 397 * DAY_MS);
  expect(read.ca).toBe(false);
  expect(key).toContain("BEGIN PRIVATE KEY");
});

test("a certificate that ends after 2049 is valid too", () => {
  const nowMs = Date.UTC(2049, 11, 1);
  expect(Date.parse(new X509Certificate(createSelfSigned(["a"], nowMs).cert).validTo)).toBe(
    nowMs + 397 * DAY_MS,
  );
});

test("what a running node cannot take is refused", () => {
  const place = { listener: "uws", tlsPort: 9_443, clientAuth: "none" } as const;
  expect(() => checkFront(null, place)).toThrow("cannot be taken away");
  expect(() => checkFront(TLS, { ...place, tlsPort: null })).toThrow("cannot be added");
  expect(() => checkFront(TLS, place)).toThrow("uws listener cannot refuse TLS 1.2");
  const asking: FrontTls = { ...TLS, minVersion: "TLSv1.2", clientAuth: "require" };
  expect(() => checkFront(asking, place)).toThrow("cannot change while the node runs");
  expect(() => checkFront(asking, { ...place, clientAuth: "require" })).toThrow(
    "use --listener node",
  );
  checkFront(asking, { ...place, listener: "node", clientAuth: "require" });
  checkFront(TLS, { ...place, listener: "node" });
  checkFront({ ...TLS, minVersion: "TLSv1.2" }, place);
  checkFront(null, { ...place, tlsPort: null });
});

test("PROXY headers are for the listener that can tell whose they are", () => {
  expect(() => checkProxies(["10.0.0.0/8"], "uws")).toThrow("use --listener node");
  checkProxies(["10.0.0.0/8"], "node");
  checkProxies([], "uws");
});
