// The other end of SDKs: answers as the OpenAI API does, and keeps what is reported to Sentry.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

export interface Upstream extends AsyncDisposable {
  readonly url: string;
  /** The next report to Sentry, as its lines. */
  readonly report: Promise<readonly unknown[]>;
  /** Lets one go on of those that are held, or the next one. */
  release(): void;
}

export async function startUpstream(): Promise<Upstream> {
  const report = Promise.withResolvers<readonly unknown[]>();
  let flaky = 0;
  const held = new Held();
  const routes: Record<string, (body: string, reply: ServerResponse) => unknown> = {
    "GET /held": async () => {
      await held.wait();
      return ["first", "second"];
    },
    "POST /v1/chat/completions": async (body, reply) => {
      const asked = JSON.parse(body) as { readonly stream?: boolean; readonly model: string };
      if (asked.stream !== true) return { choices: [{ message: { content: "Hello" } }] };
      reply.setHeader("content-type", "text/event-stream");
      for (const content of ["Hel", "lo"]) {
        reply.write(`data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`);
        if (asked.model === "held" && content === "Hel") await held.wait();
      }
      return void reply.end("data: [DONE]\n\n");
    },
    "POST /v1/files": (body) => {
      const [, name] = /filename="([^"]*)"/.exec(body) ?? [];
      return { id: "file-1", name, bytes: body.includes("\r\n\r\nline\n\r\n") ? 5 : 0 };
    },
    "GET /v1/models/flaky": (_, reply) => {
      flaky += 1;
      if (flaky > 1) return { id: "flaky" };
      reply.writeHead(503, { "retry-after-ms": "1" });
      return {};
    },
    "POST /api/1/envelope/": (body) => {
      report.resolve(body.split("\n").map((line): unknown => JSON.parse(line)));
      return {};
    },
  };
  const server = createServer((request, reply) => {
    void textOf(request).then(async (body) => {
      const [path] = (request.url ?? "").split("?");
      const answer = routes[`${request.method} ${path}`];
      reply.setHeader("content-type", "application/json");
      if (answer === undefined) reply.statusCode = 404;
      const value = (await answer?.(body, reply)) ?? { error: { message: "no such model" } };
      if (!reply.writableEnded) reply.end(JSON.stringify(value));
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    report: report.promise,
    release: () => held.release(),
    async [Symbol.asyncDispose]() {
      server.close().closeAllConnections();
      await once(server, "close");
    },
  };
}

class Held {
  readonly #waiting: (() => void)[] = [];
  #released = 0;

  async wait(): Promise<void> {
    if (this.#released > 0) this.#released--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#released++;
    else next();
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
