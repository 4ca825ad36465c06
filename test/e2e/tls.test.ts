// A node that speaks TLS itself: from the file and from flags, certificates that change, and those that are broken.

import { once } from "node:events";
import { chmodSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { connect } from "node:tls";
import { describe, expect, test } from "vitest";
import { createSelfSigned } from "../../runtime/supervisor/tls/self-signed.ts";
import { startNode, type TestNode } from "../node.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";

const HANDLER =
  "export default { fetch: (request) => new Response(`${request.url} ${request.headers.get('x-forwarded-proto')}`) };";

const isRoot = process.getuid?.() === 0;

function put(folder: string, name: string, host: string): void {
  const { cert, key } = createSelfSigned([host], Date.now());
  for (const [suffix, text] of [
    ["crt", cert],
    ["key", key],
  ] as const) {
    writeFileSync(join(folder, `${name}.new`), text, { mode: 0o600 });
    renameSync(join(folder, `${name}.new`), join(folder, `${name}.${suffix}`));
  }
}

/** Name in the certificate that a new connection is shown. */
async function shown(port: number, servername = "localhost"): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", servername, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

async function get(port: number, path: string, ca?: string): Promise<[IncomingMessage, string]> {
  const trust = ca === undefined ? { rejectUnauthorized: false } : { ca };
  const req = request({ port, host: "localhost", path, agent: false, ...trust }).end();
  const [res] = (await once(req, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of res) text += String(chunk);
  return [res, text];
}

async function tlsPort(node: TestNode): Promise<number> {
  let port = 0;
  await until("the node says where", () => {
    port = Number(/TLS {6}https:\/\/127\.0\.0\.1:(\d+)\n/.exec(node.output)?.[1]);
    return port > 0;
  });
  return port;
}

describe("a node with certificates", () => {
  test("answers by them, sends plain requests on, and takes others when the files change", async () => {
    using folder = temporary();
    put(folder.path, "a", "a.example");
    put(folder.path, "b", "b.example");
    const file = join(folder.path, "edge.yaml");
    writeFileSync(
      file,
      `tls:
  certificates: [ { cert: a.crt, key: a.key }, { cert: b.crt, key: b.key } ]
  redirect: true
  hsts: { maxAge: 60, includeSubDomains: true }
routes: [ { name: app, match: { path: "/via" }, target: { endpoint: app } } ]
`,
    );
    await using node = await startNode({ args: ["--config", file, "--tls-port", "0"] });
    await node.publish("app", HANDLER);
    const port = await tlsPort(node);

    const [res, text] = await get(port, "/app?q=1");
    expect(text).toBe(`https://localhost:${port}/app?q=1 null`);
    expect(res.headers["strict-transport-security"]).toBe("max-age=60; includeSubDomains");
    const plain = await node.get("/app?q=1", { method: "POST", body: "x" });
    expect([plain.status, plain.headers.get("location")]).toEqual([
      308,
      `https://127.0.0.1:${port}/app?q=1`,
    ]);
    expect(plain.headers.get("strict-transport-security")).toBe(null);
    expect(await shown(port, "b.example")).toBe("b.example");

    put(folder.path, "b", "renewed.example");
    // uWS takes a new socket for it: a connection that is being made at that moment may be reset.
    const name = (): Promise<string> => shown(port, "renewed.example").catch(() => "");
    await until(
      "the renewed certificate is shown",
      async () => (await name()) === "renewed.example",
    );
    writeFileSync(join(folder.path, "a.key"), "no key");
    await until("the fault is logged", () => /was not reloaded.*a\.crt/.test(node.output));
    expect(await shown(port, "a.example")).toBe("a.example");

    // Neither can it be taken away while the node runs.
    writeFileSync(file, "routes: []\n");
    await until("that is logged", () => node.output.includes("tls: cannot be taken away"));
    expect((await get(port, "/app"))[0].statusCode).toBe(200);
    expect(node.output).not.toContain("PRIVATE KEY");
  });

  test("by flags makes its own and keeps it, for workers of another user too", async () => {
    using folder = temporary();
    chmodSync(folder.path, 0o755);
    const data = join(folder.path, "data");
    const args = ["--tls-self-signed", "--tls-port", "0", "--listener", "node"];
    if (isRoot) args.push("--user", "nobody");
    let before = "";
    {
      await using node = await startNode({ data, args });
      before = readFileSync(join(data, "tls/self-signed.crt"), "utf8");
      expect(statSync(join(data, "tls/self-signed.key")).mode & 0o777).toBe(0o600);
      // Verified: name and signature are right.
      const [res] = await get(await tlsPort(node), "/health", before);
      expect(res.statusCode).toBe(200);
    }
    expect(readFileSync(join(data, "tls/self-signed.crt"), "utf8")).toBe(before);
  });
});
