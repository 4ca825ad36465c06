// A gibibyte through a handler, each way a handler has of passing it on: what the node needs for it is windows and
// what V8 collects late, whatever the length. Clients that read slowly, go away, or break off what they send.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, request, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { startNode, type TestNode } from "../node.ts";
import { descendants, pssBytes } from "../processes.ts";
import { until } from "../waiting.ts";

const MIB = 1_024 ** 2;
const BLOCK_BYTES = 65_536;
const BLOCKS_PER_MIB: number = MIB / BLOCK_BYTES;
const SAMPLE_MS = 100;
/** Of all processes of the node. */
const GROWTH_BYTES_MAX: number = 64 * MIB;
/** What undici has sent cannot be given back at once; V8 lets 64 MB of it lie. */
const SENT_GROWTH_BYTES_MAX: number = 128 * MIB;
/** What a slow client takes, and how often, while the handler could send without end. */
const ENDLESS_BLOCKS = 1_000_000;
const SLOW_PIECES = 40;
const SLOW_EVERY_MS = 100;
/** Windows of handler and listener, beside what the kernel keeps for the sockets of both ends. */
const AHEAD_BYTES_MAX: number = 4 * MIB;

/** Block n of every stream is full of n's lowest byte. */
const HANDLER = `
  const seen = { pulled: 0, cancelled: 0, broken: 0 };
  const generated = (blocks) => {
    let n = 0;
    return new ReadableStream({
      pull(controller) {
        if (n === blocks) return controller.close();
        controller.enqueue(new Uint8Array(${BLOCK_BYTES}).fill(n++));
        seen.pulled++;
      },
      cancel() { seen.cancelled++; },
    });
  };
  const turned = () => new TransformStream({
    transform(chunk, controller) { controller.enqueue(chunk.map((byte) => byte)); },
  });
  const counted = async (body) => {
    let bytes = 0;
    try { for await (const chunk of body) bytes += chunk.length; } catch { seen.broken++; }
    return new Response(String(bytes));
  };
  export default {
    async fetch(request, env) {
      const { pathname, searchParams } = new URL(request.url);
      const blocks = Number(searchParams.get("blocks"));
      switch (pathname.split("/").at(-1)) {
        case "generated": return new Response(generated(blocks));
        case "piped": return new Response(generated(blocks).pipeThrough(turned()));
        case "fetched": return fetch(env.ORIGIN + "?blocks=" + blocks);
        case "counted": return counted(request.body);
        case "sent": return fetch(env.ORIGIN, { method: "PUT", body: request.body });
        case "echoed": return new Response(request.body);
        case "turned": return new Response(request.body.pipeThrough(turned()));
        default: return Response.json(seen);
      }
    },
  };`;

interface Seen {
  readonly pulled: number;
  readonly cancelled: number;
  readonly broken: number;
}

export async function streams(size: number, print: (line: string) => void): Promise<void> {
  const origin = await startOrigin();
  try {
    await using node = await startNode({
      standby: true,
      workers: 1,
      args: ["--allow-private-egress"],
    });
    const limits = { bodyBytes: size * MIB, wallMs: 3_600_000, streamMs: 3_600_000, cpuMs: 30_000 };
    const vars = { ORIGIN: `http://127.0.0.1:${(origin.address() as AddressInfo).port}/` };
    await node.publish("streams", HANDLER, { limits, vars });
    await node.standby();
    const workers = node.workerProcesses();
    const run = new Run(node, print);
    for (const [name, way] of WAYS) {
      const growth = await run.measure(name, way, size);
      const allowed = name === "sent" ? SENT_GROWTH_BYTES_MAX : GROWTH_BYTES_MAX;
      assert.ok(growth <= allowed, `only ${mib(allowed)} are allowed`);
    }
    assert.deepEqual(node.workerProcesses(), workers, "a worker was replaced");
  } finally {
    origin.close().closeAllConnections();
  }
}

/** Answers with the blocks that are asked for, and a PUT with the number of its bytes. */
async function startOrigin(): Promise<Server> {
  const server = createServer((asked, reply) => {
    const blocks = Number(new URL(asked.url ?? "", "http://a").searchParams.get("blocks"));
    if (asked.method === "PUT") void drain(asked, null).then((bytes) => reply.end(String(bytes)));
    else void write(reply, blocks, true);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

/** With so many blocks. */
type Way = (run: Run, name: string, blocks: number) => Promise<void>;

class Run {
  readonly node: TestNode;
  readonly #print: (line: string) => void;

  constructor(node: TestNode, print: (line: string) => void) {
    this.node = node;
    this.#print = print;
  }

  /** Once small: what a way loads the first time is no matter of length. */
  async measure(name: string, way: Way, size: number): Promise<number> {
    await way(this, name, BLOCKS_PER_MIB);
    const rest = memoryOf(this.node);
    let peak = rest;
    const sampler = setInterval(() => (peak = Math.max(peak, memoryOf(this.node))), SAMPLE_MS);
    const begun = performance.now();
    try {
      await way(this, name, size * BLOCKS_PER_MIB);
    } finally {
      clearInterval(sampler);
    }
    const seconds = (performance.now() - begun) / 1_000;
    this.#print(
      `${name}: ${size} MiB, ${seconds.toFixed(1)} s, node ${mib(rest)} before, at most ${mib(peak - rest)} more`,
    );
    return peak - rest;
  }

  async seen(): Promise<Seen> {
    return JSON.parse((await this.node.get("/streams/seen")).text) as Seen;
  }

  /** The reply to a request whose body, if it has one, is `blocks` long. */
  async ask(way: string, method: "GET" | "PUT", blocks: number): Promise<IncomingMessage> {
    const path = `/streams/${way}?blocks=${blocks}`;
    const asked = request({ host: "127.0.0.1", port: this.node.port, path, method });
    asked.on("error", () => {});
    const replied = once(asked, "response") as Promise<[IncomingMessage]>;
    if (method === "PUT") void write(asked, blocks, true);
    else asked.end();
    const [reply] = await replied;
    return reply;
  }
}

async function down(run: Run, name: string, blocks: number): Promise<void> {
  const reply = await run.ask(name, "GET", blocks);
  assert.equal(await drain(reply, 0), blocks * BLOCK_BYTES);
}

async function up(run: Run, name: string, blocks: number): Promise<void> {
  const reply = await run.ask(name, "PUT", blocks);
  assert.equal(await textOf(reply), String(blocks * BLOCK_BYTES));
}

async function through(run: Run, name: string, blocks: number): Promise<void> {
  const reply = await run.ask(name, "PUT", blocks);
  assert.equal(await drain(reply, 0), blocks * BLOCK_BYTES);
}

async function slow(run: Run): Promise<void> {
  const before = await run.seen();
  const reply = await run.ask("generated", "GET", ENDLESS_BLOCKS);
  let taken = 0;
  for (let piece = 0; piece < SLOW_PIECES; piece++) {
    taken += ((reply.read() as Buffer | null) ?? Buffer.alloc(0)).length;
    await delay(SLOW_EVERY_MS);
  }
  const { pulled } = await run.seen();
  const ahead = (pulled - before.pulled) * BLOCK_BYTES - taken;
  assert.ok(
    ahead <= AHEAD_BYTES_MAX + kernelBytesMax(),
    `${mib(ahead)} were generated for a client that took none`,
  );
  reply.destroy();
  await until("the handler's stream is cancelled", async () => {
    return (await run.seen()).cancelled === before.cancelled + 1;
  });
}

async function brokenOff(run: Run, _: string, blocks: number): Promise<void> {
  const before = await run.seen();
  const path = "/streams/counted";
  const asked = request({ host: "127.0.0.1", port: run.node.port, path, method: "PUT" });
  asked.on("error", () => {});
  await write(asked, blocks / 2, false);
  asked.destroy();
  await until("the handler's reading fails", async () => {
    return (await run.seen()).broken === before.broken + 1;
  });
}

/** Waits until it is taken. Ends early when the other end has gone. */
async function write(to: NodeJS.WritableStream, blocks: number, end: boolean): Promise<void> {
  await pipeline(blocksOf(blocks), to, { end }).catch(() => {});
}

function* blocksOf(blocks: number): Generator<Buffer> {
  for (let block = 0; block < blocks; block++) yield Buffer.alloc(BLOCK_BYTES, block & 0xff);
}

const WAYS: readonly (readonly [string, Way])[] = [
  ["generated", down],
  ["piped", down],
  ["fetched", down],
  ["counted", up],
  ["sent", up],
  ["echoed", through],
  ["turned", through],
  ["generated, for a client that takes little and goes away", slow],
  ["counted, from a client that breaks off", brokenOff],
];

/** How much came. `from`: the number of the first block of a stream that has to hold what it should; null: any. */
async function drain(stream: IncomingMessage, from: number | null): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) {
    const piece = chunk as Buffer;
    if (from !== null) {
      // The ends of what came, and of each block in it.
      for (let at = 0; at < piece.length; at += BLOCK_BYTES - 1) {
        const block = Math.floor((bytes + at) / BLOCK_BYTES);
        assert.equal(piece[at], block & 0xff, `byte ${bytes + at} is not of block ${block}`);
      }
    }
    bytes += piece.length;
  }
  return bytes;
}

async function textOf(stream: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
}

/** Of one connection. */
function kernelBytesMax(): number {
  const files = ["tcp_rmem", "tcp_wmem"].map((name) => `/proc/sys/net/ipv4/${name}`);
  return files.reduce((sum, file) => sum + Number(readFileSync(file, "utf8").split("\t")[2]), 0);
}

function memoryOf(node: TestNode): number {
  return [node.pid, ...descendants(node.pid)].reduce((sum, pid) => sum + pssBytes(pid), 0);
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}
