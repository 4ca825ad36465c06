// Isolates come and go with every publish and every death: what they held must come back.

import { afterAll, beforeAll, expect, test } from "vitest";
import { openWorkshop, type Workshop } from "./instances.ts";

const CYCLES = 300;
/** Copies of the snapshot wait for the collector; an isolate that stayed would cost three megabytes. */
const KB_PER_CYCLE_MAX = 600;
const SOURCE = `export default { async fetch(request) {
  const digest = await crypto.subtle.digest("SHA-1", new Uint8Array(10));
  return new Response(new Uint8Array(1000 + digest.byteLength));
} };`;

let workshop: Workshop;
beforeAll(async () => {
  workshop = await openWorkshop();
});
afterAll(() => workshop.close());

async function cycle(start: "platform" | "full"): Promise<void> {
  const opened = workshop.open({ source: SOURCE, start });
  expect(await opened.outcome("/")).toBe("ok");
  opened.generation.drain();
  await opened.gone;
}

test("creating, serving and disposing again and again keeps the process as it is", async () => {
  for (let i = 0; i < 50; i++) await cycle("platform");
  const before = process.memoryUsage.rss();
  for (let i = 0; i < CYCLES; i++) await cycle("platform");
  const perCycle = (process.memoryUsage.rss() - before) / 1024 / CYCLES;
  expect(perCycle).toBeLessThan(KB_PER_CYCLE_MAX);
}, 60_000);
