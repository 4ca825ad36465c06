// What burns on the pool does not stand in the way of what is short there.

import { afterAll, beforeAll, expect, test } from "vitest";
import { openWorkshop, type Opened, type Workshop } from "./instances.ts";

const BURNER = `export default {
  fetch(request) {
    if (request.url.endsWith("/burn")) for (;;);
    return new Response("well");
  },
};`;
/** A request that waited for one of them would be answered after it. */
const BURN_MS = 300;

let workshop: Workshop;
beforeAll(async () => {
  workshop = await openWorkshop({ places: { short: 2, long: 1 } });
});
afterAll(() => workshop.close());

function open(): Opened {
  return workshop.open({ source: BURNER, trust: "untrusted", limits: { cpuMs: BURN_MS } });
}

test("a short request is answered while more endpoints burn than there are places", async () => {
  const good = open();
  await good.text("/well");
  const burners = Array.from({ length: 3 }, open);
  const ended: string[] = [];
  // Nobody knows yet that they burn; the second time everybody does.
  for (const round of ["first", "second"]) {
    const burning = burners.map((burner) => burner.outcome("/burn"));
    const all = burning.map((outcome) => outcome.then(() => ended.push(`${round} burner`)));
    for (let at = 0; at < 3; at++) ended.push(`${round} ${await good.text("/well")}`);
    await Promise.all(all);
  }
  const well = Array<string>(3);
  expect(ended.slice(0, 3)).toEqual(well.fill("first well"));
  expect(ended.slice(6, 9)).toEqual(well.fill("second well"));
});

const BEHIND = `export default {
  async fetch(request) {
    const ms = Number(new URL(request.url).searchParams.get("ms"));
    const late = new Promise((resolve) => setTimeout(resolve, ms));
    for (let turn = 0; turn < 60; turn++) await null;
    for (let i = 0, n = 0; i < 4e7; i++) n += i;
    await late;
    return new Response("late");
  },
};`;

test("an isolate that ran long behind its report is not kept waiting by its own place", async () => {
  const opened = workshop.open({
    source: BEHIND,
    trust: "untrusted",
    limits: { cpuMs: 2_000, wallMs: 4_000 },
  });
  // One of the timers fires when its thread has left the isolate and nobody has looked yet.
  for (let ms = 4; ms < 120; ms += 4) expect(await opened.text(`/?ms=${ms}`)).toBe("late");
});
