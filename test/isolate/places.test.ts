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
