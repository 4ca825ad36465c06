// Bytes that cross the bridge although they cannot be handed over, change meanwhile, or are not what they say.

import { handler, type Attack } from "../range/attack.ts";

/** Expressions for something of bytes that holds "ok" at best. */
const BYTES: Readonly<Record<string, string>> = {
  "WebAssembly memory": "new Uint8Array(new WebAssembly.Memory({ initial: 1 }).buffer, 0, 2)",
  "shared memory": "new Uint8Array(new SharedArrayBuffer(2))",
  "resizable buffer": "new Uint8Array(new ArrayBuffer(2, { maxByteLength: 1e6 }))",
  "detached buffer":
    "(() => { const b = new Uint8Array(2); structuredClone(b, { transfer: [b.buffer] }); return b; })()",
  "view that is out of bounds":
    "(() => { const b = new ArrayBuffer(8, { maxByteLength: 8 }); const v = new Uint8Array(b, 4, 4); b.resize(1); return v; })()",
  "subclass that lies about its length":
    "new (class extends Uint8Array { get byteLength() { return 1e9; } get length() { return 1e9; } get buffer() { return new ArrayBuffer(1e6); } get byteOffset() { return -5; } })(2)",
  "subclass with a species that lies":
    "new (class extends Uint8Array { static get [Symbol.species]() { return Array; } slice() { return {}; } subarray() { return null; } })(2)",
  "buffer with its own transfer":
    "(() => { const b = new ArrayBuffer(2); b.transfer = b.slice = () => globalThis; Object.defineProperty(b, 'byteLength', { value: 1e9 }); return b; })()",
  "length-tracking view":
    "(() => { const b = new ArrayBuffer(2, { maxByteLength: 100 }); const v = new Uint8Array(b); b.resize(50); return v; })()",
  "DataView of a part": "new DataView(new ArrayBuffer(8), 3, 2)",
  "empty buffer": "new ArrayBuffer(0)",
  Float64Array: "new Float64Array(2)",
};

/** What is done with them; `B` is the expression. */
const USES = `
    const uses = [
      () => new Response(B), () => new Response(new Blob([B])), () => crypto.subtle.digest("SHA-256", B),
      () => fetch("http://127.0.0.1:1/", { method: "POST", body: B }), () => new TextDecoder().decode(B), () => crypto.getRandomValues(B),
      () => new Response(new ReadableStream({ start(c) { c.enqueue(B); c.close(); } })).text(),
      () => new Response(new ReadableStream({ type: "bytes", start(c) { c.enqueue(B); c.close(); } })).arrayBuffer(),
      () => new ReadableStream({ type: "bytes", pull(c) { c.byobRequest?.respondWithNewView(B); } }).getReader({ mode: "byob" }).read(B),
      () => structuredClone(B), () => new WebAssembly.Module(B), () => new Request("http://a.test/", { method: "POST", body: B }).arrayBuffer(),
    ];
    for (const use of uses) { try { await Promise.race([use(), new Promise((r) => setTimeout(r, 50))]); } catch {} }
    if (path.endsWith("/stream")) return new Response(new ReadableStream({ start(c) { c.enqueue(B); c.enqueue(B); c.close(); } }));
    const kept = B;
    if (path.endsWith("/twice")) { await crypto.subtle.digest("SHA-1", new Uint8Array(1)); return new Response(kept); }
    return new Response(kept);`;

export const ODD_BODIES: readonly Attack[] = Object.entries(BYTES).map(([name, expression]) => ({
  name: `bytes: ${name}`,
  group: "escapes",
  source: handler(USES.replaceAll(/\bB\b/g, `(${expression})`)),
  limits: { cpuMs: 1_000, wallMs: 2_500 },
  trigger: async (target) => {
    return [await target.get("/stream"), await target.get("/twice"), await target.get()];
  },
  // A stream that fails at once is broken off before its head has left.
  expect: ["ok", "broken", "reset", "HANDLER_EXCEPTION"],
}));
