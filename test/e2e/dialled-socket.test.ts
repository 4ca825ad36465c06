// WebSockets that handlers open, to a real server behind the egress guard.

import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket, WebSocketServer, type RawData } from "ws";
import { startNode, type TestNode } from "../node.ts";
import { connectionsTo } from "../processes.ts";
import { until } from "../waiting.ts";

const LIMIT_BYTES = 100_000;

const HANDLER = `
const until = (socket, type) => new Promise((resolve) => socket.addEventListener(type, resolve, { once: true }));
const close = ({ code, reason, wasClean }) => [code, reason, wasClean];
const cases = {
  async echo(url) {
    const socket = new WebSocket(url + "echo", ["chat", "other"]);
    const before = [socket.readyState, socket.binaryType];
    try { socket.send("early"); } catch (error) { before.push(error.name); }
    await until(socket, "open");
    const opened = [socket.readyState, socket.protocol, socket.url.endsWith("/echo")];
    socket.send("ä");
    const talked = [socket.bufferedAmount, (await until(socket, "message")).data];
    socket.send(new Uint8Array([1, 2]));
    const { data, origin } = await until(socket, "message");
    talked.push(data instanceof Blob, [...await data.bytes()], url.startsWith(origin));
    socket.binaryType = "arraybuffer";
    socket.send(new Blob(["abc"]));
    talked.push((await until(socket, "message")).data.byteLength);
    socket.close(3001, "done");
    return [before, opened, talked, [socket.readyState, close(await until(socket, "close")), socket.readyState]];
  },
  async upgrade(url) {
    const response = await fetch(url.replace("ws:", "http:") + "greets", {
      headers: { Upgrade: "websocket", "x-mine": "yes", "Sec-WebSocket-Protocol": "chat" } });
    const { webSocket: socket } = response;
    const seen = [response.status, response.headers.get("sec-websocket-protocol")];
    try { socket.send("early"); } catch (error) { seen.push(error.name); }
    const messages = [];
    socket.addEventListener("message", ({ data }) => messages.push(typeof data === "string" ? data : data.byteLength));
    socket.accept();
    seen.push(close(await until(socket, "close")), messages);
    return seen;
  },
  async refused(url) {
    const response = await fetch(url.replace("ws:", "http:") + "refused", { headers: { Upgrade: "websocket" } });
    const socket = new WebSocket(url + "refused");
    const error = await until(socket, "error");
    return [response.status, response.webSocket, error.type, close(await until(socket, "close"))];
  },
  async metadata() {
    const answer = await fetch("http://169.254.169.254/", { headers: { Upgrade: "websocket" } }).catch((error) => error);
    const socket = new WebSocket("ws://localhost:1/");
    return [answer.code, close(await until(socket, "close"))];
  },
  async long(url) {
    const socket = new WebSocket(url + "sized");
    await until(socket, "open");
    const sizes = [];
    for (const size of [${LIMIT_BYTES - 1}, ${LIMIT_BYTES}, ${LIMIT_BYTES + 1}]) {
      socket.send(String(size));
      const event = await Promise.race([until(socket, "message"), until(socket, "close")]);
      sizes.push(event.data?.length ?? close(event));
    }
    return sizes;
  },
  async left(url) {
    const socket = new WebSocket(url + "left");
    await until(socket, "open");
    return [];
  },
  // More than the kernel keeps for a server that does not read.
  async deaf(url) {
    const socket = new WebSocket(url + "deaf");
    await until(socket, "open");
    for (let i = 0; i < 150; i++) socket.send("x".repeat(${LIMIT_BYTES}));
    return [];
  },
  async many(url) {
    let opened = 0;
    for (let i = 0; i < 4; i++) {
      const answer = await fetch(url.replace("ws:", "http:") + "echo", { headers: { Upgrade: "websocket" } }).catch((error) => error);
      if (answer.status !== 101) return [opened, answer.code];
      opened++;
    }
  },
  // More than the isolate may have, sent by a server that never stops.
  async floods(url) {
    const socket = new WebSocket(url + "floods");
    let bytes = 0;
    socket.onmessage = ({ data }) => { bytes += data.length; if (bytes > 4e7) socket.close(); };
    const event = await until(socket, "close");
    return [event.code, bytes > 4e7];
  },
  async wrong() {
    return ["nonsense", "ftp://a/", "ws://a/#b", "wss://a b/"].map((url) => {
      try { new WebSocket(url); } catch (error) { return error.name; }
    }).concat([["a", "a"], "a b", ""].map((protocols) => {
      try { new WebSocket("ws://127.0.0.1:1/", protocols); } catch (error) { return error.name; }
    }));
  },
};
export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const name = pathname.split("/")[2];
    const url = searchParams.get("url");
    if (name === "through") {
      const upstream = await fetch(url.replace("ws:", "http:") + searchParams.get("to"), { headers: { Upgrade: "websocket" } });
      return new Response(null, { status: 101, webSocket: upstream.webSocket });
    }
    return Response.json(await cases[name](url));
  },
};`;

const paths: Record<string, (socket: WebSocket) => void> = {
  "/echo": (socket) =>
    socket.on("message", (data: Buffer, isBinary) => socket.send(data, { binary: isBinary })),
  "/greets": (socket) => {
    socket.send("first");
    socket.send(Buffer.alloc(3));
    socket.close(4002, "bye");
  },
  "/sized": (socket) =>
    socket.on("message", (size: Buffer) => socket.send("x".repeat(Number(size.toString())))),
  "/left": (socket) => socket.on("close", (code) => seen.push(code)),
  "/deaf": (socket) => socket.pause(),
  "/floods": (socket) => {
    const more = (): void => {
      if (socket.readyState === WebSocket.OPEN) socket.send("x".repeat(LIMIT_BYTES), more);
    };
    more();
  },
  "/breaks": (socket) => socket.on("message", () => socket.terminate()),
};
const seen: number[] = [];
const server = new WebSocketServer({
  port: 0,
  host: "127.0.0.1",
  verifyClient: ({ req }: { req: IncomingMessage }) => req.url !== "/refused",
});
server.on("connection", (socket, request) => paths[request.url ?? ""]?.(socket));
let node: TestNode;
let upstream = "";

beforeAll(async () => {
  upstream = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  node = await startNode({ workers: 1, args: ["--egress-may-be-private"] });
  const limits = { socketBytes: LIMIT_BYTES, memoryMb: 32, cpuMs: 2_000 };
  const egress = [new URL(upstream).host];
  await node.publish("dial", HANDLER, { limits, egress });
  await node.publish("few", HANDLER, { limits: { ...limits, subrequests: 3 }, egress });
});
afterAll(async () => {
  await node.stop();
  server.close();
});

const ask = async (path: string): Promise<unknown> =>
  JSON.parse((await node.get(`/${path}?url=${upstream}`)).text) as unknown;
const through = async (to: string): Promise<WebSocket> => {
  const socket = new WebSocket(`ws://127.0.0.1:${node.port}/dial/through?to=${to}&url=${upstream}`);
  await once(socket, "open");
  return socket;
};
const closed = async (socket: WebSocket): Promise<unknown> => {
  const [code, reason] = (await once(socket, "close")) as [number, Buffer];
  return [code, reason.toString()];
};

test("a WebSocket opens, carries text, bytes and blobs, and closes as the standard says", async () => {
  expect(await ask("dial/echo")).toEqual([
    [0, "blob", "InvalidStateError"],
    [1, "chat", true],
    [2, "ä", true, [1, 2], true, 3],
    [2, [3001, "done", true], 3],
  ]);
});

test("a fetch that asks for a WebSocket gets one, which waits until it is accepted", async () => {
  const close = [4002, "bye", true];
  expect(await ask("dial/upgrade")).toEqual([101, "chat", "TypeError", close, ["first", 3]]);
});

test("a server that refuses is a response to fetch, and an error and 1006 to a WebSocket", async () => {
  expect(await ask("dial/refused")).toEqual([401, null, "error", [1006, "", false]]);
});

test("private addresses that the endpoint does not name are refused", async () => {
  expect(await ask("dial/metadata")).toEqual(["EGRESS_DENIED", [1006, "", false]]);
});

test("a message may have socketBytes and no byte more", async () => {
  const sizes = [LIMIT_BYTES - 1, LIMIT_BYTES, [1006, "", false]];
  expect(await ask("dial/long")).toEqual(sizes);
});

test("each WebSocket is a subrequest", async () => {
  expect(await ask("few/many")).toEqual([3, "SUBREQUEST_LIMIT"]);
});

test("a WebSocket is closed when its request is over", async () => {
  const [socket] = (await Promise.all([once(server, "connection"), ask("dial/left")])) as [
    [WebSocket],
    unknown,
  ];
  if (socket[0].readyState !== WebSocket.CLOSED) await once(socket[0], "close");
  expect(seen).toEqual([1001]);
});

test("what a server does not read is let go when its request is over", async () => {
  const [[socket]] = (await Promise.all([once(server, "connection"), ask("dial/deaf")])) as [
    [WebSocket],
    unknown,
  ];
  const { port } = new URL(upstream);
  await until("the connection is over", () => connectionsTo(Number(port)) === 0);
  socket.terminate();
});

test("a server that sends without end is read as fast as the handler takes it", async () => {
  expect(await ask("dial/floods")).toEqual([1005, true]);
});

test("addresses and protocols that do not parse throw a SyntaxError", async () => {
  expect(new Set((await ask("dial/wrong")) as unknown[])).toEqual(new Set(["SyntaxError"]));
});

test("a server's WebSocket as the answer is joined to the client's, until either end closes", async () => {
  const echo = await through("echo");
  const sent = ["one", Buffer.from([0, 255]), "x".repeat(LIMIT_BYTES)];
  const got: unknown[] = [];
  const all = new Promise<void>((resolve) => {
    echo.on("message", (data: RawData, isBinary) => {
      got.push(isBinary ? data : (data as Buffer).toString());
      if (got.length === sent.length) resolve();
    });
  });
  for (const message of sent) echo.send(message);
  await all;
  expect(got).toEqual(sent);
  const [left] = [...server.clients].filter((each) => each.readyState === WebSocket.OPEN);
  echo.close(4003, "enough");
  if (left === undefined) throw new Error("no connection");
  expect(await Promise.all([closed(echo), closed(left)])).toEqual([
    [4003, "enough"],
    [4003, "enough"],
  ]);

  const greets = await through("greets");
  expect(await closed(greets)).toEqual([4002, "bye"]);
  const breaks = await through("breaks");
  breaks.send("now");
  expect(await closed(breaks)).toEqual([1001, ""]);
});
