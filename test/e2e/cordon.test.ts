// Endpoints in processes of their own: which process answers, what crosses to it and back, and that changing where an
// endpoint runs costs no request. What happens when such a process dies is in test/fault/cordon.test.ts.

import { readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Isolation } from "../../sdk/isolation.ts";
import { startNode, type TestNode } from "../node.ts";
import { isRunning } from "../processes.ts";
import { until } from "../waiting.ts";
import { Load, echo } from "./load.ts";

const CHUNK_BYTES = 64 * 1024;
/** Far more than sockets and windows on the way hold. */
const OFFERED_CHUNKS = 800;
const BUFFERED_BYTES_MAX = 16 * 1024 * 1024;

const HANDLER = `
let aborted = 0, sent = 0;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const cases = {
  echo: (request) => new Response(request.body, { headers: { "x-kind": "echo" } }),
  text: async (request) => new Response((await request.text()).toUpperCase()),
  large: () => new Response("x".repeat(300_000), { status: 201 }),
  throws() { throw new TypeError("a secret"); },
  spin() { for (;;); },
  empty: () => new Response(null, { status: 204 }),
  async slow(request) {
    request.signal.addEventListener("abort", () => aborted++);
    await wait(4_000);
    return new Response("late");
  },
  counts: () => Response.json({ aborted, sent }),
  flood: () => new Response(new ReadableStream({
    pull(controller) {
      if (sent++ === ${OFFERED_CHUNKS}) controller.close();
      else controller.enqueue(new Uint8Array(${CHUNK_BYTES}));
    },
  })),
  drip: () => new Response(new ReadableStream({
    async start(controller) {
      for (const part of ["one ", "two ", "three"]) {
        controller.enqueue(new TextEncoder().encode(part));
        await wait(20);
      }
      controller.close();
    },
  })),
  breaks: () => new Response(new ReadableStream({
    async start(controller) {
      controller.enqueue(new TextEncoder().encode("begun"));
      await wait(20);
      controller.error(new Error("broken"));
    },
  })),
  forge: () => new Response("forged", { headers: { "x-request-id": "mine", "x-edge-outcome": "ok", "connection": "close" } }),
  headers: (request) => new Response(request.url + " " + request.headers.get("x-sent")),
};
export default {
  fetch: (request) => cases[new URL(request.url).pathname.split("/")[2]](request),
};`;

let node: TestNode;

beforeAll(async () => {
  node = await startNode({ workers: 1, args: ["--outcome-header"] });
  // A flood takes 100 ms of CPU time, on a busy machine twice as much: the limit of the others' handlers.
  const limits = { bodyBytes: 1_000_000, cpuMs: 1_000 };
  await node.publish("all", HANDLER, { isolation: "dedicated", limits });
  await node.publish("near", HANDLER, { limits: { bodyBytes: 1_000_000 } });
});

afterAll(() => node.stop());

interface Seat {
  readonly pid: number;
  readonly cordon: string | null;
}

/** Which process has the endpoint's isolate. */
async function seatOf(endpoint: string): Promise<Seat | null> {
  const { data } = await node.api("GET", "/api/stats");
  const { workers } = data as {
    workers: {
      pid: number;
      cordon: string | null;
      isolates: { endpoint: string; state: string }[];
    }[];
  };
  const found = workers.filter(({ isolates }) =>
    isolates.some((one) => one.endpoint === endpoint && one.state === "loaded"),
  );
  expect(found.length).toBeLessThanOrEqual(1);
  return found[0] ?? null;
}

interface AccessLine {
  readonly id: string;
  readonly outcome: string;
  readonly endpoint: string;
  readonly status: number;
}

function accessLines(): AccessLine[] {
  return node.workers.flatMap((_, at) => {
    const text = readFileSync(join(node.data, "logs", `access-${at + 1}.log`), "utf8");
    return text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as AccessLine);
  });
}

test("a dedicated endpoint runs in a process that takes no clients and has nobody else's isolate", async () => {
  await node.get("/all/text");
  const seat = await seatOf("all");
  expect(seat?.cordon).toBe("endpoint:all");
  expect(node.workers).not.toContain(seat?.pid);
  expect(node.workers).toContain((await seatOf("near"))?.pid);
  expect((await node.edge("show", "all")).stdout).toMatch(/^isolation +dedicated *$/m);
});

test.each(["/all", "/near"])("replies are the same from %s", async (path) => {
  const body = "y".repeat(600_000);
  const text = await node.get(`${path}/text`, { method: "POST", body: "abc" });
  expect([text.status, text.text]).toEqual([200, "ABC"]);
  const echoed = await node.get(`${path}/echo`, { method: "PUT", body });
  expect([echoed.text === body, echoed.headers.get("x-kind")]).toEqual([true, "echo"]);
  const large = await node.get(`${path}/large`);
  expect([large.status, large.text.length]).toEqual([201, 300_000]);
  const head = await node.get(`${path}/large`, { method: "HEAD" });
  expect([head.text, head.headers.get("content-length")]).toEqual(["", "300000"]);
  expect((await node.get(`${path}/empty`)).status).toBe(204);
  expect((await node.get(`${path}/drip`)).text).toBe("one two three");
  const headers = await node.get(`${path}/headers?q=%C3%A9`, { headers: { "x-sent": "sent" } });
  expect(headers.text).toBe(`${node.url}${path}/headers?q=%C3%A9 sent`);
  await expect(node.get(`${path}/breaks`)).rejects.toThrow();
  const large413 = await node.get(`${path}/text`, { method: "POST", body: "z".repeat(1_000_001) });
  expect(large413.status).toBe(413);
  const thrown = await node.get(`${path}/throws`);
  expect([thrown.status, thrown.headers.get("x-edge-outcome")]).toEqual([500, "HANDLER_EXCEPTION"]);
  expect(thrown.text).not.toContain("secret");
  expect(JSON.parse(thrown.text)).toMatchObject({ requestId: thrown.headers.get("x-request-id") });
  const forged = await node.get(`${path}/forge`);
  expect(forged.headers.get("x-request-id")).not.toBe("mine");
});

test("limits hold in a cordon, and each request has one line in the access log and one count", async () => {
  const spun = await node.get("/all/spin?one");
  expect([spun.status, spun.headers.get("x-edge-outcome")]).toEqual([503, "CPU_LIMIT"]);
  const id = spun.headers.get("x-request-id") ?? "";
  await until("it is logged", () => accessLines().some((line) => line.id === id));
  const lines = accessLines().filter((line) => line.id === id);
  expect(lines).toMatchObject([{ outcome: "CPU_LIMIT", endpoint: "all", status: 503 }]);
  const metrics = await fetch(`http://127.0.0.1:${node.adminPort}/metrics`, {
    headers: { authorization: "Bearer islet_token_of_a_test" },
  });
  expect(await metrics.text()).toContain(
    'edge_http_requests_total{endpoint="all",outcome="CPU_LIMIT",class="5xx"} 1\n',
  );
  expect((await node.edge("explain", id)).stdout).toContain("CPU_LIMIT");
});

test("a client that goes away is noticed by the handler", async () => {
  const call = request({ host: "127.0.0.1", port: node.port, path: "/all/slow" });
  call.on("error", () => {});
  call.end();
  await until(
    "it runs",
    async () => ((await seatOf("all"))?.pid ?? 0) > 0 && (await inFlight()) > 0,
  );
  call.destroy();
  await until("it has heard", async () => {
    const { aborted } = JSON.parse((await node.get("/all/counts")).text);
    return aborted === 1;
  });
});

async function inFlight(): Promise<number> {
  const { data } = await node.api("GET", "/api/stats");
  return Number(Reflect.get(Object(data), "active_requests"));
}

test("a client that reads slowly holds up the handler's stream, and gets all of it", async () => {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let before = 0;
  const call = request({ host: "127.0.0.1", port: node.port, path: "/all/flood" }, (response) => {
    response.pause();
    let bytes = 0;
    response.on("data", (chunk: Buffer) => (bytes += chunk.length));
    response.on("end", () => resolve(bytes));
    response.on("error", reject);
    void (async () => {
      // It has come to rest when nothing more is sent between two looks.
      await until("it rests", async () => {
        const { sent } = JSON.parse((await node.get("/all/counts")).text);
        const rests = sent > 1 && sent === before;
        before = sent;
        return rests;
      });
      response.resume();
    })().catch(reject);
  });
  call.on("error", reject);
  call.end();
  expect(await promise).toBe(OFFERED_CHUNKS * CHUNK_BYTES);
  expect(before * CHUNK_BYTES).toBeLessThan(BUFFERED_BYTES_MAX);
});

test("two endpoints of a group share one process, which ends with the last of them", async () => {
  await node.publish("left", echo("l"), { isolation: "group:pair" });
  await node.publish("right", echo("r"), { isolation: "group:pair" });
  expect((await node.get("/left?nonce=1")).text).toBe("l:1");
  expect((await node.get("/right?nonce=2")).text).toBe("r:2");
  const seat = await seatOf("left");
  expect(seat?.cordon).toBe("group:pair");
  expect((await seatOf("right"))?.pid).toBe(seat?.pid);
  await node.api("DELETE", "/api/endpoints/left");
  expect((await node.get("/right?nonce=3")).text).toBe("r:3");
  await node.api("DELETE", "/api/endpoints/right");
  await until("its process has ended", () => !isRunning(seat?.pid ?? 0));
});

test("an endpoint moves between processes without a lost request, by publish and by rollback", async () => {
  await node.publish("mover", echo("v0"));
  const [worker = 0] = node.workers;
  await using load = new Load(node.port, "/mover", 4);
  await load.round();
  const moves: [string, Isolation, string | null][] = [
    ["v1", "dedicated", "endpoint:mover"],
    ["v2", "group:far", "group:far"],
    ["v3", "shared", null],
    ["v4", "dedicated", "endpoint:mover"],
  ];
  for (const [version, isolation, cordon] of moves) {
    await node.publish("mover", echo(version), { isolation });
    await load.round();
    expect(load.connections.map(({ lastVersion }) => lastVersion)).toEqual(Array(4).fill(version));
    expect((await seatOf("mover"))?.cordon).toBe(cordon);
  }
  expect((await node.api("POST", "/api/endpoints/mover/rollback", {})).status).toBe(200);
  await load.round();
  expect(await seatOf("mover")).toMatchObject({ pid: worker, cordon: null });
  await load.stopClean();
  await node.api("DELETE", "/api/endpoints/mover");
});

test("a stream that is under way when its endpoint leaves the cordon is completed, then the process ends", async () => {
  const source = `export default { fetch() {
      return new Response(new ReadableStream({ async start(controller) {
        controller.enqueue(new TextEncoder().encode("begun,"));
        await new Promise((resolve) => setTimeout(resolve, 1500));
        controller.enqueue(new TextEncoder().encode("ended"));
        controller.close();
      } }));
    } };`;
  await node.publish("stays", source, { isolation: "dedicated" });
  const response = await fetch(`${node.url}/stays`);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  expect((await reader?.read())?.value).toBe("begun,");
  const seat = await seatOf("stays");
  await node.publish("stays", source);
  expect(isRunning(seat?.pid ?? 0)).toBe(true);
  expect((await reader?.read())?.value).toBe("ended");
  expect((await reader?.read())?.done).toBe(true);
  await until("its process has ended", () => !isRunning(seat?.pid ?? 0));
  await node.api("DELETE", "/api/endpoints/stays");
});

test("a malformed isolation is refused with the forms there are", async () => {
  const answer = await node
    .publish("odd", echo("v"), { isolation: "group:No" as Isolation })
    .catch((error: unknown) => String(error));
  expect(answer).toContain(
    'isolation: "group:No" is none of "shared", "dedicated" or "group:NAME"',
  );
});
