// A large object up and down through a handler: how long it takes, and what the worker holds for it at most.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { startNode } from "../node.ts";
import { pssBytes } from "../processes.ts";

const MIB = 1_024 ** 2;
const SAMPLE_MS = 100;
/** What a worker may need beside what it has at rest: far less than the object, and room for what V8 collects late. */
const GROWTH_BYTES_MAX: number = 200 * MIB;

const HANDLER = `export default {
  async fetch(request, env) {
    if (request.method === "PUT") return Response.json(await env.FILES.put("large", request.body));
    const found = await env.FILES.get("large");
    return new Response(found.body, { headers: { etag: found.httpEtag } });
  },
};`;

export async function storage(mib: number, print: (line: string) => void): Promise<void> {
  await using node = await startNode({ standby: true, workers: 1 });
  const [worker = 0] = node.workers;
  const bindings = [
    { kind: "storage", name: "FILES", service: "embedded", scope: "soak" },
  ] as const;
  const limits = { bodyBytes: mib * MIB, wallMs: 3_600_000, streamMs: 3_600_000, cpuMs: 30_000 };
  await node.publish("files", HANDLER, { bindings, limits });
  const rest = pssBytes(worker);
  let peak = 0;
  const sampler = setInterval(() => (peak = Math.max(peak, pssBytes(worker))), SAMPLE_MS);
  try {
    const sent = createHash("md5");
    const upBegun = performance.now();
    const init = { method: "PUT", body: pieces(mib, sent), duplex: "half" } as const;
    const reply = await fetch(`${node.url}/files`, init);
    const text = await reply.text();
    assert.equal(reply.status, 200, text);
    print(`up: ${figures(mib, upBegun)}, worker ${size(rest)} at rest, ${size(peak)} at its peak`);
    const downBegun = performance.now();
    const got = createHash("md5");
    const { body } = await fetch(`${node.url}/files`);
    for await (const piece of body ?? []) got.update(piece as Uint8Array);
    print(`down: ${figures(mib, downBegun)}, worker ${size(peak)} at its peak`);
    assert.equal(got.digest("hex"), sent.digest("hex"), "what came back is not what was sent");
  } finally {
    clearInterval(sampler);
  }
  assert.ok(peak - rest <= GROWTH_BYTES_MAX, `at most ${size(GROWTH_BYTES_MAX)} more are allowed`);
}

async function* pieces(
  mib: number,
  hash: { update(bytes: Uint8Array): unknown },
): AsyncGenerator<Uint8Array> {
  const piece = Buffer.alloc(MIB);
  for (let at = 0; at < mib; at++) {
    for (let word = 0; word < MIB; word += 4) piece.writeUInt32LE((at * MIB + word) >>> 0, word);
    hash.update(piece);
    yield Buffer.from(piece);
  }
}

function size(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}

function figures(mib: number, begun: number): string {
  const seconds = (performance.now() - begun) / 1_000;
  return `${mib} MiB in ${seconds.toFixed(1)} s, ${Math.round(mib / seconds)} MiB/s`;
}
