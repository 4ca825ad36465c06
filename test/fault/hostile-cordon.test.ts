// A cordon whose process is in the hands of the code it runs: whatever it sends, the worker that forwards to it keeps
// to its bounds, and every request ends once.

import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Code } from "../../sdk/errors.ts";
import type { Outcome } from "../../sdk/outcome.ts";
import type { Ticket } from "../../runtime/isolate/ticket.ts";
import { OVERRUN_BYTES_MAX } from "../../runtime/worker/cordon/forwarded.ts";
import { FrameReader, FrameWriter, OP } from "../../runtime/worker/cordon/frames.ts";
import {
  CordonLink,
  FORWARDED_MAX,
  WAITING_MAX,
  WAITING_MS_MAX,
} from "../../runtime/worker/cordon/link.ts";
import { Relay } from "../../runtime/worker/cordon/relay.ts";
import { MemoryExchange, type RequestInput } from "../isolate/memory-exchange.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";

class TestTicket implements Ticket {
  readonly event = null;
  readonly exchange: MemoryExchange;
  readonly startedMs: number = performance.now();
  readonly failures: Code[] = [];
  readonly outcomes: Outcome[] = [];

  constructor(input: RequestInput = {}) {
    this.exchange = new MemoryExchange(input);
  }

  fail(code: Code): void {
    this.failures.push(code);
    if (this.exchange.state === "open") this.exchange.reply(502, "", null);
    else this.exchange.reset();
  }

  answered(outcome: Outcome): void {
    this.outcomes.push(outcome);
  }

  used(): void {}
  log(): void {}
  whenDone(): void {}
}

type Answer = (out: FrameWriter, id: number, socket: Socket, op: number) => void;

interface Rig extends AsyncDisposable {
  readonly relay: Relay;
  /** Requests that reached the cordon. */
  readonly seen: number[];
  ask(input?: RequestInput): TestTicket;
}

/** A relay in front of something that answers frames as it likes. */
async function rig(
  answer: Answer,
  options: { readonly now?: () => number; readonly deaf?: number } = {},
): Promise<Rig> {
  const folder = temporary();
  const path = join(folder.path, "cordon.sock");
  const seen: number[] = [];
  const sockets = new Set<Socket>();
  let deaf = options.deaf ?? 0;
  const server: Server = createServer((socket) => {
    if (deaf-- > 0) {
      socket.end();
      return;
    }
    sockets.add(socket);
    const out = new FrameWriter(socket, () => {});
    out.push(OP.READY, 0);
    const reader = new FrameReader((op, id) => {
      if (op === OP.REQUEST) seen.push(id);
      answer(out, id, socket, op);
    });
    socket.on("data", (chunk) => reader.push(chunk));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const link = new CordonLink(path, options.now ?? (() => performance.now()));
  const limits = { bodyBytes: 1_000_000, wallMs: 60_000 };
  const relay = new Relay({ link, endpoint: "e", limits, revision: () => 1, onGone: () => {} });
  return {
    relay,
    seen,
    ask(input) {
      const ticket = new TestTicket(input);
      relay.accept(ticket);
      return ticket;
    },
    async [Symbol.asyncDispose]() {
      relay.abandon();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      folder[Symbol.dispose]();
    },
  };
}

const onRequest =
  (answer: Answer): Answer =>
  (out, id, socket, op) => {
    if (op === OP.REQUEST) answer(out, id, socket, op);
  };

test.each<[string, Answer]>([
  ["an unknown op", (out, id) => out.push(99, id)],
  ["a worker's op", (out, id) => out.push(OP.REQUEST, id)],
  ["a reply without a head", (out, id) => out.push(OP.REPLY, id)],
  ["a status that is none", (out, id) => out.push(OP.REPLY, id, "99\nok\n")],
  ["an informational status", (out, id) => out.push(OP.REPLY, id, "101\nok\n")],
  ["an unknown outcome", (out, id) => out.push(OP.REPLY, id, "200\nfine\n")],
  ["a chunk before a head", (out, id) => out.push(OP.CHUNK, id, "", Buffer.from("x"))],
  ["an end before a head", (out, id) => out.push(OP.END, id, "ok")],
  ["a wish for a body that there is not", (out, id) => out.push(OP.READ, id)],
  ["bytes that are no frame", (_out, _id, socket) => socket.write(Buffer.alloc(64, 255))],
  ["its end", (_out, _id, socket) => socket.destroy()],
])(
  "a cordon that answers with %s is cut off, and the request fails once",
  async (_name, answer) => {
    await using cordon = await rig(onRequest(answer));
    const ticket = cordon.ask();
    await ticket.exchange.done;
    expect(ticket.failures).toEqual(["WORKER_CRASH"]);
    expect(cordon.relay.inFlight).toBe(0);
    // Once, and once more.
    expect(cordon.seen).toHaveLength(2);
  },
);

test("a connection that ends before the cordon's first word costs no try, however many do", async () => {
  await using cordon = await rig(
    onRequest((out, id) => out.push(OP.REPLY, id, "200\nok\n")),
    { deaf: 3 },
  );
  const posted = cordon.ask({ method: "POST", body: "x" });
  await posted.exchange.done;
  expect([posted.outcomes, posted.failures]).toEqual([["ok"], []]);
  expect(cordon.seen).toHaveLength(1);
});

test("a request that may have done something is not sent again", async () => {
  await using cordon = await rig(onRequest((_out, _id, socket) => socket.destroy()));
  const posted = cordon.ask({ method: "POST", body: "x" });
  await posted.exchange.done;
  expect(posted.failures).toEqual(["WORKER_CRASH"]);
  expect(cordon.seen).toHaveLength(1);
});

test("frames about requests that are over, or never were, change nothing", async () => {
  await using cordon = await rig(
    onRequest((out, id) => {
      out.push(OP.REPLY, 77, "200\nok\n");
      out.push(OP.BEGIN, id, "200\nok\nx-a\n1\n");
      out.push(OP.CHUNK, id, "", Buffer.from("part"));
      out.push(OP.END, id, "ok");
      out.push(OP.REPLY, id, "500\nok\n");
      out.push(OP.CHUNK, id, "", Buffer.from("more"));
    }),
  );
  const first = cordon.ask();
  await first.exchange.done;
  const second = cordon.ask();
  await second.exchange.done;
  for (const { exchange, outcomes, failures } of [first, second]) {
    expect([exchange.status, Buffer.concat(exchange.chunks).toString()]).toEqual([200, "part"]);
    expect([outcomes, failures]).toEqual([["ok"], []]);
  }
});

test.each([
  ["what was under way", 0, false],
  ["one piece more than could be under way", 1, true],
])("a stream that is not held when it is told to may still send %s", async (_n, more, isCut) => {
  const piece = Buffer.alloc(64 * 1024);
  let told = false;
  await using cordon = await rig((out, id, _socket, op) => {
    if (op === OP.REQUEST) {
      out.push(OP.BEGIN, id, "200\nok\n");
      out.push(OP.CHUNK, id, "", piece);
    }
    if (op !== OP.HOLD) return;
    told = true;
    const pieces = OVERRUN_BYTES_MAX / piece.length + more;
    for (let at = 0; at < pieces; at++) out.push(OP.CHUNK, id, "", piece);
  });
  const ticket = new TestTicket();
  ticket.exchange.socketBytes = 1;
  cordon.relay.accept(ticket);
  const sent = OVERRUN_BYTES_MAX + piece.length;
  await until("all of it was taken", () => {
    const taken = ticket.exchange.chunks.reduce((sum, { length }) => sum + length, 0);
    return told && (taken >= sent || ticket.failures.length > 0);
  });
  if (isCut) await until("it is cut", () => ticket.failures.length > 0);
  expect(ticket.failures).toEqual(isCut ? ["WORKER_CRASH"] : []);
});

test("requests wait for a cordon that is not there, so many and so long", async () => {
  let now = 0;
  const link = new CordonLink("/nowhere/cordon.sock", () => now);
  const limits = { bodyBytes: 1_000, wallMs: 60_000 };
  const relay = new Relay({ link, endpoint: "e", limits, revision: () => 1, onGone: () => {} });
  const tickets = Array.from({ length: WAITING_MAX + 1 }, () => new TestTicket());
  for (const ticket of tickets) relay.accept(ticket);
  expect(tickets.map(({ failures }) => failures.length)).toEqual([
    ...Array<number>(WAITING_MAX).fill(0),
    1,
  ]);
  expect(tickets.at(-1)?.failures).toEqual(["OVERLOADED"]);
  now = WAITING_MS_MAX;
  relay.expire(now);
  expect(relay.inFlight).toBe(WAITING_MAX);
  now = WAITING_MS_MAX + 1;
  relay.expire(now);
  expect(relay.inFlight).toBe(0);
  expect(tickets[0]?.failures).toEqual(["WORKER_CRASH"]);
});

test("so many requests are on their way through one cordon, and no more", async () => {
  await using cordon = await rig(() => {});
  const first = cordon.ask();
  await until("the cordon has it", () => cordon.seen.length === 1);
  const tickets = Array.from({ length: FORWARDED_MAX }, () => cordon.ask());
  expect([first, ...tickets.slice(0, -1)].flatMap(({ failures }) => failures)).toEqual([]);
  expect(tickets.at(-1)?.failures).toEqual(["OVERLOADED"]);
});
