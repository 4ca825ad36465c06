// Many WebSockets of one handler that sends back what it gets: every message comes back, in order, once; both ends
// hear how the other one closed; the neighbour goes on answering, and nothing of it all stays behind.

import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket } from "ws";
import { Probe } from "../hostile/range/probe.ts";
import { startNode, type TestNode } from "../node.ts";
import { pssBytes } from "../processes.ts";
import { until } from "../waiting.ts";

/** Messages of one connection on their way at once. */
const AHEAD = 32;
/** Every so many-th message is of bytes. */
const BYTES_EVERY = 8;
const SAMPLE_MS = 250;
const MIB = 1_024 ** 2;
/** What its isolate may have (memoryMb), and the messages on their way. */
const GROWTH_BYTES_MAX: number = 192 * MIB;
/** The second half of the messages; what V8 collects late has been there by then. */
const LATER_BYTES_MAX: number = 32 * MIB;
/** On a machine of two cores, client and node have one each. */
const SILENCE_MS_MAX = 1_000;

const NEIGHBOUR = "neighbour";
const HANDLER = `
  let open = 0;
  const closes = {};
  export default {
    fetch(request) {
      if (request.headers.get("upgrade") !== "websocket") return Response.json({ open, closes });
      const [client, server] = Object.values(new WebSocketPair());
      server.accept();
      open += 1;
      server.addEventListener("message", ({ data }) => {
        if (data === "leave") server.close(4001, "as you wish");
        else server.send(data);
      });
      server.addEventListener("close", ({ code }) => {
        open -= 1;
        closes[code] = (closes[code] ?? 0) + 1;
      });
      return new Response(null, { status: 101, webSocket: client });
    },
  };`;

/** How a connection ends, and what its two ends hear of it. */
const ENDINGS: readonly {
  readonly end: (socket: WebSocket) => void;
  readonly client: number;
  readonly handler: number;
}[] = [
  { end: (socket) => socket.close(1000, "done"), client: 1000, handler: 1000 },
  { end: (socket) => socket.close(4321), client: 4321, handler: 4321 },
  { end: (socket) => socket.send("leave"), client: 4001, handler: 4001 },
  { end: (socket) => socket.terminate(), client: 1006, handler: 1006 },
];

export async function sockets(
  connections: number,
  messages: number,
  print: (line: string) => void,
): Promise<void> {
  await using node = await startNode({ standby: true, workers: 1 });
  const [worker = 0] = node.workers;
  await node.publish("echo", HANDLER);
  await node.publish(
    NEIGHBOUR,
    `export default { fetch: () => new Response(${JSON.stringify(NEIGHBOUR)}) };`,
  );
  await using probe = new Probe(node.port, `/${NEIGHBOUR}`, NEIGHBOUR);
  const rest = pssBytes(worker);
  let peak = 0;
  let half = 0;
  const sampler = setInterval(() => (peak = Math.max(peak, pssBytes(worker))), SAMPLE_MS);
  probe.begin();
  const begun = performance.now();
  try {
    const clients = await Promise.all(
      Array.from({ length: connections }, () => openEcho(node, messages)),
    );
    const openedMs = performance.now() - begun;
    await Promise.all(clients.map((client) => client.half));
    half = peak;
    await Promise.all(clients.map((client) => client.all));
    const seconds = (performance.now() - begun) / 1_000;
    const rate = Math.round((connections * messages) / seconds);
    print(
      `${connections} connections, open after ${Math.round(openedMs)} ms, × ${messages} messages: all came back ` +
        `in order, once, in ${seconds.toFixed(1)} s, ${rate} messages/s`,
    );
    const heard = await Promise.all(clients.map(({ socket }, index) => closed(socket, index)));
    print(`clients heard ${tally(heard)}`);
    print(`the handler heard ${await handlerHeard(node, connections)}`);
  } finally {
    clearInterval(sampler);
  }
  const { gapMs, answers, wrong, lost } = await probe.end();
  print(
    `the neighbour: ${answers} answers, ${wrong} wrong, ${lost} lost, silent for ${Math.round(gapMs)} ms at most`,
  );
  const after = pssBytes(worker);
  print(
    `worker: ${mib(rest)} at rest, ${mib(half)} at most by half of the messages, ${mib(peak)} by all, ${mib(after)} after`,
  );
  assert.deepEqual({ wrong, lost }, { wrong: 0, lost: 0 });
  assert.ok(gapMs <= SILENCE_MS_MAX, `the neighbour was silent for ${gapMs} ms`);
  assert.ok(peak - rest <= GROWTH_BYTES_MAX, `at most ${mib(GROWTH_BYTES_MAX)} more are allowed`);
  assert.ok(peak - half <= LATER_BYTES_MAX, "the worker grows with every message");
  assert.ok(node.workerProcesses().includes(worker), "the worker was replaced");
}

interface Client {
  readonly socket: WebSocket;
  /** Half of the messages have come back; all of them. */
  readonly half: Promise<void>;
  readonly all: Promise<void>;
}

async function openEcho(node: TestNode, messages: number): Promise<Client> {
  const url = `${node.url.replace("http", "ws")}/echo`;
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.binaryType = "nodebuffer";
  await once(socket, "open");
  const half = Promise.withResolvers<void>();
  const all = Promise.withResolvers<void>();
  const fail = (why: string): void => {
    half.reject(new Error(why));
    all.reject(new Error(why));
  };
  let sent = 0;
  let back = 0;
  const send = (): void => {
    const text = `message ${sent}`;
    socket.send(sent % BYTES_EVERY === 0 ? Buffer.from(text) : text);
    sent++;
  };
  const onClose = (code: number, reason: Buffer): void =>
    fail(`closed with ${code} ${String(reason)} after ${back} of ${messages} messages`);
  socket.on("message", (data: Buffer, isBinary) => {
    const text = data.toString("latin1");
    if (text !== `message ${back}` || isBinary !== (back % BYTES_EVERY === 0)) {
      fail(`"${text}" came back instead of message ${back}`);
    }
    back++;
    if (sent < messages) send();
    if (back === Math.ceil(messages / 2)) half.resolve();
    if (back < messages) return;
    socket.off("close", onClose);
    all.resolve();
  });
  socket.on("close", onClose);
  while (sent < Math.min(messages, AHEAD)) send();
  return { socket, half: half.promise, all: all.promise };
}

async function closed(socket: WebSocket, index: number): Promise<number> {
  const ending = ENDINGS[index % ENDINGS.length];
  assert.ok(ending !== undefined);
  const isClosed = once(socket, "close");
  ending.end(socket);
  const [code] = (await isClosed) as [number];
  assert.equal(code, ending.client);
  return code;
}

/** What its close events said, once all sockets are closed. */
async function handlerHeard(node: TestNode, connections: number): Promise<string> {
  let heard: { open: number; closes: Record<string, number> } = { open: connections, closes: {} };
  await until("the handler has heard of every close", async () => {
    heard = JSON.parse((await node.get("/echo")).text);
    return heard.open === 0;
  });
  const expected = tally(
    Array.from(
      { length: connections },
      (_, index) => ENDINGS[index % ENDINGS.length]?.handler ?? 0,
    ),
  );
  const said = Object.entries(heard.closes)
    .map(([code, count]) => `${count} × ${code}`)
    .join(", ");
  assert.equal(said, expected);
  return said;
}

function tally(codes: readonly number[]): string {
  return [...new Set(codes)]
    .toSorted((a, b) => a - b)
    .map((code) => `${codes.filter((each) => each === code).length} × ${code}`)
    .join(", ");
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}
