// The command line in this process against a real HTTP server that speaks the admin API's envelope.

import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Keyboard } from "../../cli/asking.ts";
import { main } from "../../cli/main.ts";
import type { Json } from "../../sdk/errors.ts";
import { temporary, type Temporary } from "../temporary.ts";

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly token: string | undefined;
  readonly body: Json;
}

/** Status and body to answer with. */
export type Answer = (seen: Seen) => readonly [number, string];

export interface FakeNode {
  readonly url: string;
  readonly seen: Seen[];
  close(): Promise<void>;
}

export async function startFakeNode(answer: Answer): Promise<FakeNode> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      const call: Seen = {
        method: request.method ?? "",
        path: request.url ?? "",
        token: request.headers.authorization,
        body: text === "" ? null : (JSON.parse(text) as Json),
      };
      seen.push(call);
      const [status, body] = answer(call);
      response.writeHead(status, { "content-type": "application/json" }).end(body);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { url: `http://127.0.0.1:${port}`, seen, close };
}

export function envelope(data: Json): string {
  return JSON.stringify({ ok: true, success: true, data, error: null });
}

export function failure(code: string, message: string): string {
  const detail = { code, message, detail: {} };
  return JSON.stringify({ ok: false, success: false, error: message, error_detail: detail });
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runEdge(
  argv: readonly string[],
  options: {
    readonly cwd?: string;
    readonly env?: Record<string, string>;
    readonly stdin?: Keyboard;
  } = {},
): Promise<Ran> {
  let stdout = "";
  let stderr = "";
  const code = await main({
    argv,
    env: options.env ?? {},
    cwd: options.cwd ?? tmpdir(),
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    stdinIsTty: options.stdin?.isTTY === true,
    ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
  });
  return { code, stdout, stderr };
}

/** A folder with these files. */
export function makeFolder(files: Readonly<Record<string, string>>): Temporary {
  const folder = temporary();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder.path, name)), { recursive: true });
    writeFileSync(join(folder.path, name), text);
  }
  return folder;
}
