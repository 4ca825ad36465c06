// WebSockets of handlers, the same on both listeners and in a process of their own.

import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket, type RawData } from "ws";
import type { Isolation } from "../../sdk/isolation.ts";
import { startNode, type TestNode } from "../node.ts";
import { until } from "../waiting.ts";

const LIMIT_BYTES = 200_000;

const HANDLER = `
let closes = [];
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const cases = {
  echo(server) { server.addEventListener("message", ({ data }) => server.send(data)); },
  greets(server) { server.send("first"); server.send(new Uint8Array([1, 2, 3])); },
  late(server) { server.addEventListener("message", async ({ data }) => { await wait(5); server.send("late " + data); }); },
  closes(server) { server.addEventListener("message", () => server.close(4001, "enough")); },
  spins(server) { server.addEventListener("message", ({ data }) => {
    if (data === "spin") for (;;);
    const until = Date.now(); let n = 0; for (let i = 0; i < 1e7; i++) n += i; server.send("done"); }); },
  tells(server) {
    server.addEventListener("message", ({ data }) => console.log("told", data));
    server.addEventListener("close", ({ code }) => console.log("told of", code)); },
  throws(server) { server.addEventListener("message", () => { throw new Error("mine"); }); },
  floods(server) { server.addEventListener("message", () => { for (;;) server.send("x".repeat(1e6)); }); },
};
export default {
  async fetch(request) {
    const name = new URL(request.url).pathname.split("/")[2];
    if (name === "closes-seen") return Response.json(closes);
    if (name === "plain") return new Response("plain");
    if (request.headers.get("upgrade") !== "websocket") return new Response(null, { status: 101, webSocket: new WebSocketPair()[0] });
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    server.addEventListener("close", ({ code, reason, wasClean }) => closes.push([name, code, reason, wasClean]));
    cases[name](server);
    return new Response(null, { status: 101, webSocket: client, headers: { "x-mine": "yes", ...(name === "greets" ? { "sec-websocket-protocol": "chat" } : {}) } });
  },
};`;

const BAD = `export default { fetch() { return new Response("a neighbour"); } };`;

export function describeSockets(
  name: string,
  args: readonly string[],
  isolation?: Isolation,
): void {
  describe(`WebSockets, ${name}`, () => {
    let node: TestNode;

    beforeAll(async () => {
      node = await startNode({ workers: 1, args });
      await node.publish("talk", HANDLER, {
        ...(isolation === undefined ? {} : { isolation }),
        limits: { socketBytes: LIMIT_BYTES, cpuMs: 500, memoryMb: 64 },
        drainTimeoutMs: 300,
      });
      await node.publish("near", BAD);
    });

    afterAll(() => node.stop());

    const open = async (path: string, protocols?: string[]): Promise<WebSocket> => {
      const socket = new WebSocket(`ws://127.0.0.1:${node.port}/talk/${path}`, protocols);
      await once(socket, "open");
      return socket;
    };
    const next = async (socket: WebSocket): Promise<string | Buffer> => {
      const [data, isBinary] = (await once(socket, "message")) as [RawData, boolean];
      return isBinary ? (data as Buffer) : (data as Buffer).toString();
    };
    const closed = async (socket: WebSocket): Promise<[number, string]> => {
      const [code, reason] = (await once(socket, "close")) as [number, Buffer];
      return [code, reason.toString()];
    };
    const neighbour = async (): Promise<string> =>
      (await fetch(`http://127.0.0.1:${node.port}/near`)).text();

    test("what its listeners log is in the log", async () => {
      const socket = await open("tells");
      socket.send("a secret");
      await until("the message is logged", () => node.output.includes("told a secret"));
      socket.close(4003);
      await until("the end is logged", () => node.output.includes("told of"));
    });

    test("messages of text and of bytes come back as they went, in order", async () => {
      const socket = await open("echo");
      const sent = [
        "ä€😀",
        "",
        "b".repeat(150_000),
        Buffer.from([0, 255]),
        Buffer.alloc(150_000, 7),
      ];
      const got: (string | Buffer)[] = [];
      const all = new Promise<void>((resolve, reject) => {
        socket.on("close", (code) => reject(new Error(`closed with ${code}`)));
        socket.on("message", (data: Buffer, isBinary) => {
          got.push(isBinary ? data : data.toString());
          if (got.length === sent.length) resolve();
        });
      });
      for (const message of sent) socket.send(message);
      await all;
      expect(got).toEqual(sent);
      socket.close(1000, "bye");
      expect(await closed(socket)).toEqual([1000, "bye"]);
    });

    test("what a handler sends before it answers arrives first, and its headers with the head", async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${node.port}/talk/greets`, ["chat", "other"]);
      const got: unknown[] = [];
      const all = new Promise<void>((resolve, reject) => {
        socket.on("close", (code) => reject(new Error(`closed with ${code}`)));
        socket.on("message", (data: Buffer, isBinary) => {
          got.push(isBinary ? data : data.toString());
          if (got.length === 2) resolve();
        });
      });
      const [response] = (await once(socket, "upgrade")) as [{ headers: Record<string, string> }];
      expect(response.headers).toMatchObject({
        "x-mine": "yes",
        "sec-websocket-protocol": "chat",
        "x-request-id": expect.stringMatching(/^[a-z0-9]{22}$/) as string,
      });
      await all;
      expect(got).toEqual(["first", Buffer.from([1, 2, 3])]);
      socket.close();
      await closed(socket);
    });

    test("a handler that waits between messages answers each", async () => {
      const socket = await open("late");
      socket.send("1");
      expect(await next(socket)).toBe("late 1");
      socket.send("2");
      expect(await next(socket)).toBe("late 2");
      socket.terminate();
    });

    test("each end learns with which code the other has closed, and of a client that vanished", async () => {
      const socket = await open("closes");
      socket.send("now");
      expect(await closed(socket)).toEqual([4001, "enough"]);
      const other = await open("echo");
      other.close(4000, "reason");
      await closed(other);
      const third = await open("echo");
      third.terminate();
      const seen = async (): Promise<unknown[]> => {
        const answer = await fetch(`http://127.0.0.1:${node.port}/talk/closes-seen`);
        return (await answer.json()) as unknown[];
      };
      await expect.poll(seen).toEqual(
        expect.arrayContaining([
          ["echo", 4000, "reason", true],
          ["echo", 1006, "", false],
        ]),
      );
    });

    test("a message is taken up to the endpoint's limit, and beyond it the socket closed", async () => {
      const socket = await open("echo");
      socket.send(Buffer.alloc(LIMIT_BYTES));
      expect(await next(socket)).toHaveLength(LIMIT_BYTES);
      socket.send(Buffer.alloc(LIMIT_BYTES + 1));
      expect((await closed(socket))[0]).toBe(1009);
    });

    test("each message has the CPU time of a request, and one that takes more ends its socket alone", async () => {
      const socket = await open("spins");
      const well = await open("echo");
      for (let at = 0; at < 60; at++) {
        socket.send("work");
        expect(await next(socket)).toBe("done");
      }
      socket.send("spin");
      expect((await closed(socket))[0]).toBe(1011);
      well.send("still here");
      expect(await next(well)).toBe("still here");
      well.terminate();
    });

    test("a handler that throws keeps its socket", async () => {
      const socket = await open("throws");
      socket.send("1");
      socket.send("2");
      expect(socket.readyState).toBe(WebSocket.OPEN);
      socket.terminate();
    });

    test("a handler that floods its client is stopped, and its neighbour answers", async () => {
      const socket = await open("floods");
      const end = closed(socket);
      socket.send("go");
      expect(await neighbour()).toBe("a neighbour");
      expect([1011, 1012, 1013, 1006]).toContain((await end)[0]);
      expect(await neighbour()).toBe("a neighbour");
      // Its isolate may have died of it, and rests a moment before it is loaded again.
      await until("it answers again", async () => {
        const { status } = await fetch(`http://127.0.0.1:${node.port}/talk/plain`);
        return status === 200;
      });
    });

    test("a webSocket for a request that asked for none is the handler's fault", async () => {
      const response = await fetch(`http://127.0.0.1:${node.port}/talk/echo`);
      expect(response.status).toBe(500);
      expect(await response.json()).toMatchObject({ code: "HANDLER_BAD_RESPONSE" });
    });

    test("a request for a WebSocket may be answered like every other", async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${node.port}/talk/plain`);
      const [, response] = (await once(socket, "unexpected-response")) as [
        unknown,
        { statusCode: number },
      ];
      expect(response.statusCode).toBe(200);
    });

    test("a socket outlives a publish until the old version has drained, then it is told to come again", async () => {
      const socket = await open("echo");
      const end = closed(socket);
      await node.publish("talk", `${HANDLER}\n// anew`, {
        ...(isolation === undefined ? {} : { isolation }),
        limits: { socketBytes: LIMIT_BYTES, cpuMs: 500, memoryMb: 64 },
        drainTimeoutMs: 300,
      });
      expect((await end)[0]).toBe(1012);
      const again = await open("echo");
      again.send("new");
      expect(await next(again)).toBe("new");
      again.terminate();
    });
  });
}
