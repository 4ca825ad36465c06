// WebSockets that talk without end, listen too long, or whose clients do not keep to the protocol.

import { once } from "node:events";
import type { WebSocket } from "ws";
import { handler, type Attack, type Verdict } from "../range/attack.ts";
import type { Target } from "../range/target.ts";

const LIMITS = { cpuMs: 100, wallMs: 5_000, memoryMb: 32, socketBytes: 1_000_000 };
/** Several tabs of several people. */
const PEOPLE = 500;

function socket(body: string, top = ""): string {
  return handler(
    `const [client, server] = Object.values(new WebSocketPair()); server.accept(); ${body}
    return new Response(null, { status: 101, webSocket: client });`,
    top,
  );
}

function onMessage(body: string): string {
  return socket(`server.addEventListener("message", async ({ data }) => { ${body} });`);
}

/** One message, and what becomes of the socket. */
function talk(target: Target): Promise<Verdict> {
  return target.dial((client) => client.send("x"));
}

/** The socket lives: its client ends it. */
async function talkAndLeave(client: WebSocket): Promise<void> {
  client.send("x");
  client.ping();
  await once(client, "pong");
  client.close(1000);
}

const CUT: Readonly<Record<string, { source: string; expect: readonly Verdict[] }>> = {
  "loop in a listener": { source: onMessage("for (;;);"), expect: ["closed 1011"] },
  "loop of promises in a listener": {
    source: onMessage("for (;;) await null;"),
    expect: ["closed 1011"],
  },
  "bomb in a listener": {
    source: onMessage("const a = []; for (;;) a.push(new Array(1000).fill(1));"),
    expect: ["closed 1011"],
  },
  "messages without end in a listener": {
    source: onMessage('for (;;) server.send("x".repeat(1e5));'),
    expect: ["closed 1011", "closed 1013"],
  },
  "messages without end from a timer": {
    source: socket(
      'setInterval(() => { for (let i = 0; i < 50; i++) server.send("x".repeat(1e5)); }, 0);',
    ),
    expect: ["closed 1011", "closed 1013"],
  },
  "messages to itself without end": {
    source: handler(
      `const [a, b] = Object.values(new WebSocketPair()); a.accept(); b.accept();
      a.addEventListener("message", () => a.send("x")); b.addEventListener("message", () => b.send("x")); a.send("x");
      return await new Promise(() => {});`,
    ),
    expect: ["CPU_LIMIT", "HANDLER_TIMEOUT"],
  },
};

const KEPT: Readonly<Record<string, string>> = {
  "recursion in a listener": onMessage("const f = () => f() + 1; f();"),
  "throwing proxy in a listener": onMessage(
    "throw new Proxy({}, { get() { throw new Error('trap'); } });",
  ),
  "listener that never settles": onMessage("await new Promise(() => {});"),
  "listener that closes over and over": onMessage(
    "server.ping?.(); for (let i = 0; i < 1e3; i++) try { server.close(1000); } catch {}",
  ),
};

const DIAL = `const url = "ws" + request.headers.get("x-peer").slice(4);
  const open = (path) => new Promise((resolve, reject) => {
    const socket = new WebSocket(url + path);
    socket.onopen = () => resolve(socket); socket.onerror = reject;
  });`;

/** To servers. */
const DIALLED: Readonly<Record<string, { source: string; expect: readonly Verdict[] }>> = {
  "WebSockets opened without end": {
    source: handler(`${DIAL} for (;;) await open("/");`),
    expect: ["HANDLER_EXCEPTION"],
  },
  "messages without end to a server that reads nothing": {
    source:
      handler(`${DIAL} const socket = await open("/hang"); const closed = new Promise((resolve) => (socket.onclose = resolve));
      const timer = setInterval(() => { for (let i = 0; i < 9; i++) socket.send("x".repeat(1e6)); }, 0);
      await closed; clearInterval(timer); return new Response("closed");`),
    expect: ["CPU_LIMIT", "MEMORY_LIMIT", "HANDLER_TIMEOUT", "ok"],
  },
  "a server that talks without end": {
    source: handler(`${DIAL} const socket = await open("/endless"); const kept = [];
      socket.onmessage = ({ data }) => kept.push(data); return await new Promise(() => {});`),
    expect: ["CPU_LIMIT", "MEMORY_LIMIT", "HANDLER_TIMEOUT"],
  },
  "a server that talks to a handler that never accepts": {
    source: handler(`const peer = request.headers.get("x-peer");
      for (let i = 0; i < 40; i++) await fetch(peer + "/endless", { headers: { upgrade: "websocket" } });
      return new Response("ok");`),
    expect: ["ok"],
  },
};

async function manyAtOnce(target: Target): Promise<Verdict[]> {
  const all = Array.from({ length: PEOPLE }, () => target.dial(talkAndLeave));
  return [...new Set(await Promise.all(all))];
}

export const SOCKETS: readonly Attack[] = [
  ...Object.entries(CUT).map(([name, { source, expect }]): Attack => ({
    name,
    group: "sockets",
    source,
    limits: LIMITS,
    trigger: name.includes("itself") ? (target) => target.get() : talk,
    expect,
    withinMs: 7_000,
  })),
  ...Object.entries(KEPT).map(([name, source]): Attack => ({
    name,
    group: "sockets",
    source,
    limits: LIMITS,
    trigger: (target) => target.dial(talkAndLeave),
    expect: ["closed 1000"],
  })),
  ...Object.entries(DIALLED).map(([name, { source, expect }]): Attack => ({
    name,
    group: "sockets",
    source,
    limits: LIMITS,
    trigger: (target) => target.get("", { headers: { "x-peer": target.peer } }),
    expect,
    withinMs: 10_000,
  })),
  {
    name: "pairs without end",
    group: "sockets",
    source: handler("const kept = []; for (;;) kept.push(new WebSocketPair());"),
    limits: LIMITS,
    expect: ["CPU_LIMIT", "MEMORY_LIMIT"],
  },
  {
    name: "one end for every request",
    group: "sockets",
    source: handler(
      "pair ??= new WebSocketPair(); return new Response(null, { status: 101, webSocket: pair[0] });",
      "let pair;",
    ),
    limits: LIMITS,
    trigger: async (target) => [await target.dial(talkAndLeave), await target.dial(talkAndLeave)],
    expect: ["closed 1000", "HANDLER_EXCEPTION", "HANDLER_BAD_RESPONSE"],
  },
  {
    name: "many sockets at once",
    group: "sockets",
    source: onMessage("server.send(data);"),
    limits: LIMITS,
    trigger: manyAtOnce,
    expect: ["closed 1000"],
    withinMs: 10_000,
  },
  {
    name: "client that reads nothing",
    group: "sockets",
    source: socket('setInterval(() => server.send("x".repeat(1e5)), 0);'),
    limits: LIMITS,
    trigger: (target) =>
      target.dial(async (client) => {
        client.pause();
        for (let i = 0; i < 20; i++) await target.get("/ok");
        client.terminate();
      }),
    expect: ["closed 1006"],
  },
  {
    name: "client that sends faster than the handler listens",
    group: "sockets",
    source: onMessage(
      "await new Promise((resolve) => setTimeout(resolve, 50)); server.send(data);",
    ),
    limits: LIMITS,
    trigger: (target) =>
      target.dial((client) => {
        for (let i = 0; i < 1_000; i++) client.send("x".repeat(1e5));
      }),
    expect: ["closed 1013", "closed 1011"],
    withinMs: 10_000,
  },
  {
    name: "messages of one byte without waiting",
    group: "sockets",
    source: onMessage("server.send(data);"),
    limits: LIMITS,
    trigger: (target) =>
      target.dial(async (client) => {
        for (let i = 0; i < 50_000; i++) client.send("x");
        client.ping();
        await once(client, "pong");
        client.close(1000);
      }),
    expect: ["closed 1000", "closed 1011", "closed 1013"],
    withinMs: 10_000,
  },
  {
    name: "sockets left behind to a server that never closes",
    group: "sockets",
    source: handler(`${DIAL} const all = Array.from({ length: 60 }, () => open("/hang"));
      return new Response(String((await Promise.allSettled(all)).filter(({ status }) => status === "fulfilled").length));`),
    limits: { ...LIMITS, cpuMs: 1_000, subrequests: 60 },
    trigger: async (target) => {
      const init = { headers: { "x-peer": target.peer } };
      const verdicts: Verdict[] = [];
      for (let i = 0; i < 8; i++) verdicts.push(await target.get("", init));
      return verdicts;
    },
    expect: ["ok"],
    withinMs: 10_000,
  },
  {
    name: "message of fragments without end",
    group: "sockets",
    source: onMessage("server.send(data);"),
    limits: LIMITS,
    trigger: (target) =>
      target.dial((client) => {
        for (let i = 0; i < 700; i++) client.send("x".repeat(50_000), { fin: false });
      }),
    expect: ["closed 1009", "closed 1006"],
  },
];
