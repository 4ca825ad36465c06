// The attacked endpoint as its client sees it.

import { request as httpRequest } from "node:http";
import { WebSocket } from "ws";
import { isCode } from "../../../sdk/errors.ts";
import { RawClient } from "../../http/raw-client.ts";
import type { Verdict } from "./attack.ts";

/** A client that cares for the reply gives up after this. */
const PATIENCE_MS = 15_000;
/** Of a reply that does not end. */
const KEPT_CHARS_MAX = 100_000;

export interface Shot {
  readonly verdict: Verdict;
  readonly status: number;
  readonly text: string;
}

export interface Shooting {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Hangs up after so many bytes of the reply's body. */
  readonly stopAfter?: number;
}

export class Target {
  readonly port: number;
  readonly name: string;
  /** A server that handlers may fetch from, see peer.ts. */
  readonly peer: string;
  /** Of the last shot. */
  reply = "";

  constructor(port: number, name: string, peer: string) {
    this.port = port;
    this.name = name;
    this.peer = peer;
  }

  async get(path = "", init: Shooting = {}): Promise<Verdict> {
    const shot = await shoot(this.port, `/${this.name}${path}`, init);
    this.reply = shot.text;
    return shot.verdict;
  }

  /** At once. */
  async volley(count: number, path = "", init: Shooting = {}): Promise<Verdict[]> {
    const shots = Array.from({ length: count }, () =>
      shoot(this.port, `/${this.name}${path}`, init),
    );
    return (await Promise.all(shots)).map(({ verdict }) => verdict);
  }

  /** A WebSocket: what `act` does with it, and how it ends. */
  dial(act: (socket: WebSocket) => void | Promise<void>): Promise<Verdict> {
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}/${this.name}`);
    const end = (verdict: Verdict): void => {
      clearTimeout(patience);
      resolve(verdict);
      socket.terminate();
    };
    const patience = setTimeout(() => end("silent"), PATIENCE_MS);
    socket.on("unexpected-response", (_request, response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => end(verdictOf(response.statusCode ?? 0, text)));
    });
    socket.on("open", () => void Promise.resolve(act(socket)).catch(() => end("broken")));
    socket.on("close", (code) => end(`closed ${code}`));
    socket.on("error", () => undefined);
    return promise;
  }

  raw(): RawClient {
    return new RawClient(this.port);
  }

  head(method: string, fields = "", path = ""): string {
    return `${method} /${this.name}${path} HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`;
  }
}

export function shoot(port: number, path: string, init: Shooting = {}): Promise<Shot> {
  const { promise, resolve } = Promise.withResolvers<Shot>();
  let text = "";
  let status = 0;
  let bytes = 0;
  const end = (verdict: Verdict): void => {
    clearTimeout(patience);
    resolve({ verdict, status, text });
    call.destroy();
  };
  const patience = setTimeout(() => end("silent"), PATIENCE_MS);
  const call = httpRequest(
    {
      agent: false,
      host: "127.0.0.1",
      port,
      path,
      method: init.method ?? "GET",
      headers: { ...init.headers, connection: "close" },
    },
    (response) => {
      status = response.statusCode ?? 0;
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        bytes += chunk.length;
        if (text.length < KEPT_CHARS_MAX) text += chunk;
        if (bytes >= (init.stopAfter ?? Number.POSITIVE_INFINITY)) end("client_abort");
      });
      response.on("error", () => end("broken"));
      response.on("end", () => end(response.complete ? verdictOf(status, text) : "broken"));
    },
  );
  call.on("error", () => end(status === 0 ? "reset" : "broken"));
  call.end(init.body);
  return promise;
}

/** Every reply that is not the handler's own is a problem document with a code. */
function verdictOf(status: number, text: string): Verdict {
  if (status < 400) return "ok";
  try {
    const code: unknown = Reflect.get(Object(JSON.parse(text)), "code");
    if (isCode(code)) return code;
  } catch {
    // The handler's own reply.
  }
  return "ok";
}
