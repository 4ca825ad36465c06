// CompressionStream and DecompressionStream as handlers use them, over the bridge.

import { brotliDecompressSync, gunzipSync, gzipSync, inflateRawSync, inflateSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openWorkshop, type Workshop } from "./instances.ts";

let workshop: Workshop;
beforeAll(async () => {
  workshop = await openWorkshop();
});
afterAll(() => workshop.close());

const source = (body: string): string => `export default { async fetch(request) { ${body} } };`;
const TEXT = "The quick brown fox. ".repeat(10_000);

test.each([
  ["gzip", gunzipSync],
  ["deflate", inflateSync],
  ["deflate-raw", inflateRawSync],
  ["brotli", brotliDecompressSync],
])("a reply piped through CompressionStream(%j) is what zlib reads", async (format, read) => {
  const opened = workshop.open({
    source: source(
      `const text = new Blob(["The quick brown fox. ".repeat(10_000)]).stream();
       return new Response(text.pipeThrough(new CompressionStream("${format}")));`,
    ),
  });
  const sent = opened.send();
  expect(await sent.ended()).toBe("ok");
  const bytes = Buffer.concat(sent.exchange.chunks);
  expect(bytes.length).toBeLessThan(TEXT.length / 10);
  expect(read(bytes).toString()).toBe(TEXT);
});

test("what is compressed and decompressed again is what it was", async () => {
  const opened = workshop.open({
    source: source(
      `const made = crypto.getRandomValues(new Uint8Array(65_536));
       const { readable, writable } = new CompressionStream("gzip");
       const writer = writable.getWriter();
       writer.write(made); writer.write(made.buffer); writer.close();
       const back = await new Response(readable.pipeThrough(new DecompressionStream("gzip"))).bytes();
       return new Response(String(back.length === 131_072 && back.every((byte, at) => byte === made[at % 65_536])));`,
    ),
  });
  expect(await opened.text()).toBe("true");
});

test("a stream may be made at top level, and is used by a request", async () => {
  const opened = workshop.open({
    source: `const { readable, writable } = new DecompressionStream("gzip");
      ${source(`const writer = writable.getWriter(); writer.write(await request.bytes()); writer.close();
        return new Response(await new Response(readable).text());`)}`,
    start: "full",
  });
  const body = gzipSync("early");
  expect(await opened.text({ method: "POST", body })).toBe("early");
});

test("a bomb is decompressed no further than it is read", async () => {
  const opened = workshop.open({
    source: source(
      `const { readable, writable } = new DecompressionStream("gzip");
       const writer = writable.getWriter();
       writer.write(await request.bytes()).catch(() => {});
       const reader = readable.getReader();
       let read = 0;
       while (read < 1_000_000) read += (await reader.read()).value.length;
       await new Promise((resolve) => setTimeout(resolve, 50));
       await reader.cancel();
       return new Response(await writer.closed.then(() => "closed", (error) => String(error)));`,
    ),
    limits: { memoryMb: 16 },
  });
  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
  expect(await opened.text({ method: "POST", body: bomb })).toBe("undefined");
  expect(opened.deaths).toEqual([]);
});

test("streams that would take more than the isolate may hold are refused", async () => {
  const opened = workshop.open({
    source: source(
      `let made = 0;
       try {
         for (; made < 100; made++) {
           const { readable, writable } = new CompressionStream("gzip");
           void readable.getReader().read().catch(() => {});
           await writable.getWriter().write(new Uint8Array(1));
         }
       } catch (error) { return new Response(made + " " + error.name + " " + error.message); }
       return new Response("all");`,
    ),
    limits: { memoryMb: 8 },
  });
  expect(await opened.text()).toMatch(/^1[0-9] TypeError .*memoryMb/);
});

test("bytes that are not compressed fail both ends with a TypeError", async () => {
  const opened = workshop.open({
    source: source(
      `const { readable, writable } = new DecompressionStream("deflate");
       const writer = writable.getWriter(), reader = readable.getReader();
       const name = (error) => error.constructor === TypeError;
       return Response.json(await Promise.all([
         writer.write(new Uint8Array([1, 2, 3])).catch(name), reader.read().catch(name), writer.closed.catch(name)]));`,
    ),
  });
  expect(await opened.text()).toBe("[true,true,true]");
});

test("patched prototypes change nothing in what a stream does", async () => {
  const opened = workshop.open({
    source: source(
      `const bytesSlice = Uint8Array.prototype.slice;
       const seen = [];
       Object.getPrototypeOf(Uint8Array.prototype).slice = () => { seen.push("bytes"); };
       const { readable, writable } = new CompressionStream("gzip");
       const writer = writable.getWriter();
       writer.write(new Uint8Array([1])); writer.close();
       const reader = readable.getReader();
       while (!(await reader.read()).done);
       Object.getPrototypeOf(Uint8Array.prototype).slice = bytesSlice;
       return Response.json(seen);`,
    ),
  });
  expect(await opened.text()).toBe("[]");
});
