// What a process of a node keeps once its garbage is collected, which is exact to some kilobytes where resident memory
// moves by tens of megabytes. Node opens its inspector at SIGUSR1, on one port for all processes of a machine: one at a
// time, and each is closed again.

import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket } from "ws";
import { until } from "../waiting.ts";

const LIST = "http://127.0.0.1:9229/json/list";
/** What one collection lets go of may hold on to more until the next. */
const COLLECTIONS = 3;
/** Heap, and what it holds outside of it. Pages that V8 keeps for later are no part of it. */
const USED = "(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())";
/** Not from within the session that asks for it. */
const CLOSE = 'setImmediate(() => process.getBuiltinModule("node:inspector").close())';

export async function keptBytes(pid: number): Promise<number> {
  process.kill(pid, "SIGUSR1");
  const socket = await connect();
  try {
    assert.equal(await evaluate(socket, "process.pid"), pid, "another process is inspected");
    await ask(socket, "HeapProfiler.enable");
    for (let i = 0; i < COLLECTIONS; i++) await ask(socket, "HeapProfiler.collectGarbage");
    return Number(await evaluate(socket, USED));
  } finally {
    const closed = once(socket, "close");
    await evaluate(socket, CLOSE);
    await closed;
  }
}

async function connect(): Promise<WebSocket> {
  let url: unknown;
  await until("the inspector listens", async () => {
    const targets: unknown = await fetch(LIST).then(
      (response) => response.json(),
      () => [],
    );
    url = Array.isArray(targets) ? Reflect.get(Object(targets[0]), "webSocketDebuggerUrl") : null;
    return typeof url === "string";
  });
  const socket = new WebSocket(String(url));
  await once(socket, "open");
  return socket;
}

let asked = 0;

async function ask(socket: WebSocket, method: string, params: object = {}): Promise<unknown> {
  const id = ++asked;
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const take = (data: Buffer): void => {
    const message: object = Object(JSON.parse(data.toString()));
    if (Reflect.get(message, "id") === id) resolve(Reflect.get(message, "result"));
  };
  socket.on("message", take);
  socket.send(JSON.stringify({ id, method, params }));
  const result = await promise;
  socket.off("message", take);
  return result;
}

async function evaluate(socket: WebSocket, expression: string): Promise<unknown> {
  const answer = await ask(socket, "Runtime.evaluate", { expression, returnByValue: true });
  return Reflect.get(Object(Reflect.get(Object(answer), "result")), "value");
}
