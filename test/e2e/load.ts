// Keep-alive connections that ask again and again. Every request carries a nonce that its reply has to echo, so
// a reply that was lost, doubled or given to somebody else is found out.

import { Agent, request } from "node:http";
import { isIP } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import assert from "node:assert/strict";

/** A handler for it: `version`, then the nonce. */
export function echo(version: string): string {
  return `export default {
    async fetch(request) {
      const nonce = new URL(request.url).searchParams.get("nonce");
      return new Response(${JSON.stringify(version)} + ":" + nonce);
    },
  };`;
}

/** Between an answer and the next question: two cores have to carry the node and the test. */
const PAUSE_MS = 10;

export interface Failure {
  readonly connection: number;
  readonly error: string;
}

export class Connection {
  readonly number: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #port: number;
  readonly #path: string;
  #count = 0;
  /** The client's port of this connection: tells which worker has it. */
  localPort = 0;
  answered = 0;
  lastVersion = "";

  constructor(number: number, port: number, path: string) {
    this.number = number;
    this.#port = port;
    this.#path = path;
  }

  /** Resolves to the version that answered; rejects on anything but the right reply. */
  async ask(): Promise<string> {
    const nonce = `${this.number}-${++this.#count}`;
    const { status, text } = await this.#send(`${this.#path}?nonce=${nonce}`);
    const [version = "", echoed] = text.split(":");
    if (status !== 200) throw new Error(`status ${status}: ${text}`);
    if (echoed !== nonce) throw new Error(`asked with ${nonce}, got ${text}`);
    this.answered++;
    this.lastVersion = version;
    return version;
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(path: string): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const call = request(
        { agent: this.#agent, host: "127.0.0.1", port: this.#port, path },
        (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => (text += chunk));
          response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
          response.on("error", reject);
        },
      );
      call.on("socket", (socket) => {
        const note = (): void => void (this.localPort = socket.localPort ?? 0);
        if (isIP(socket.localAddress ?? "") === 0) socket.once("connect", note);
        else note();
      });
      call.on("error", reject);
      call.end();
    });
  }
}

export class Load implements AsyncDisposable {
  readonly connections: readonly Connection[];
  readonly failures: Failure[] = [];
  readonly #loops: Promise<void>[];
  #stopped = false;

  constructor(port: number, path: string, count: number) {
    this.connections = Array.from({ length: count }, (_, at) => new Connection(at, port, path));
    this.#loops = this.connections.map((connection) => this.#loop(connection));
  }

  get answered(): number {
    return this.connections.reduce((sum, { answered }) => sum + answered, 0);
  }

  /** Resolves when every connection has got an answer to a question asked from now on. */
  async round(): Promise<void> {
    const before = this.connections.map(({ answered }) => answered);
    const done = (): boolean =>
      this.connections.every((one, at) => one.answered >= (before[at] ?? 0) + 2);
    while (!done()) await delay(PAUSE_MS);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
    for (const connection of this.connections) connection.close();
  }

  /** Every request was answered rightly, and there were some. */
  async stopClean(): Promise<void> {
    await this.stop();
    assert.deepEqual(this.failures, []);
    assert.ok(this.answered >= this.connections.length, "there was no load");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #loop(connection: Connection): Promise<void> {
    while (!this.#stopped) {
      try {
        await connection.ask();
      } catch (error) {
        this.failures.push({ connection: connection.number, error: String(error) });
      }
      await delay(PAUSE_MS);
    }
  }
}
