// A client that sends exactly the bytes it is given, and reads replies apart without any help of a library.

import { connect } from "node:net";
import type { Socket } from "node:net";

export interface RawReply {
  readonly status: number;
  /** Lower-case names, in order, doubles kept. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

export class RawClient {
  readonly socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  /** Behind #bytes, not joined to them yet. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  #ended = false;
  #wake: (() => void) | null = null;

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("data", (chunk: Buffer) => {
      this.#parts.push(chunk);
      this.#partBytes += chunk.length;
      this.#wake?.();
    });
    const ended = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    this.socket.on("end", ended);
    this.socket.on("close", ended);
    this.socket.on("error", ended);
  }

  send(text: string | Uint8Array): void {
    this.socket.write(typeof text === "string" ? Buffer.from(text, "latin1") : text);
  }

  close(): void {
    this.socket.destroy();
  }

  /** Everything up to the end of the connection, as Latin-1. */
  async rest(): Promise<string> {
    while (!this.#ended) await this.#more();
    this.#join();
    return this.#bytes.toString("latin1");
  }

  /** What has come so far, once there is something. */
  async some(): Promise<string> {
    while (this.#bytes.length + this.#partBytes === 0 && !this.#ended) await this.#more();
    this.#join();
    const text = this.#bytes.toString("latin1");
    this.#bytes = Buffer.alloc(0);
    return text;
  }

  /** One reply; `bodiless` for the reply to HEAD. Throws when the connection ends before it is whole. */
  async reply(bodiless = false): Promise<RawReply> {
    const [line = "", ...fields] = (await this.#until("\r\n\r\n")).split("\r\n");
    const headers = fields
      .filter((field) => field !== "")
      .map((field) => {
        const colon = field.indexOf(":");
        return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()] as const;
      });
    const status = Number(line.split(" ")[1]);
    const get = (name: string): string | undefined => headers.find(([key]) => key === name)?.[1];
    let body: Buffer = Buffer.alloc(0);
    if (bodiless || status === 204 || status === 304 || status < 200)
      return { status, headers, body };
    if (get("transfer-encoding") === "chunked") body = await this.#chunks();
    else if (get("content-length") !== undefined) {
      body = await this.#take(Number(get("content-length")));
    } else {
      body = Buffer.from(await this.rest(), "latin1");
    }
    return { status, headers, body };
  }

  async #chunks(): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (;;) {
      const size = Number.parseInt(await this.#until("\r\n"), 16);
      if (Number.isNaN(size)) throw new Error("a chunk has no length");
      parts.push(await this.#take(size));
      await this.#take(2);
      if (size === 0) return Buffer.concat(parts);
    }
  }

  async #until(mark: string): Promise<string> {
    for (;;) {
      this.#join();
      const at = this.#bytes.indexOf(mark);
      if (at >= 0) return (await this.#take(at + mark.length)).toString("latin1");
      if (this.#ended) throw new Error(`ended after ${JSON.stringify(this.#bytes.toString())}`);
      await this.#more();
    }
  }

  async #take(count: number): Promise<Buffer> {
    for (;;) {
      const held = this.#bytes.length + this.#partBytes;
      if (held >= count) break;
      if (this.#ended) throw new Error(`ended ${count - held} bytes early`);
      await this.#more();
    }
    this.#join();
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }

  #join(): void {
    if (this.#partBytes === 0) return;
    this.#bytes = Buffer.concat([this.#bytes, ...this.#parts]);
    this.#parts = [];
    this.#partBytes = 0;
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

export function valuesOf(reply: RawReply, name: string): readonly string[] {
  return reply.headers.filter(([key]) => key === name).map(([, value]) => value);
}
