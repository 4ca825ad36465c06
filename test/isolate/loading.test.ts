// Whatever an author's top level does while an isolate is loaded, it does on the pool: others are answered meanwhile.

import { afterAll, beforeAll, expect, test } from "vitest";
import { openWorkshop, type StartKind, type Workshop } from "./instances.ts";

/** Some tenths of a second. */
const SLOW = `for (let i = 0; i < 3e8; i++);
export default { fetch: () => new Response("slow") };`;
const QUICK = "export default { fetch: () => new Response('quick') };";

let workshop: Workshop;
beforeAll(async () => {
  workshop = await openWorkshop({ places: { short: 1, long: 1 } });
});
afterAll(() => workshop.close());

test.each([
  ["untrusted", "platform"],
  ["untrusted", "module"],
  ["own", "platform"],
  ["own", "module"],
] as const)(
  "code with trust %s that is loaded as %s keeps nobody waiting",
  async (trust, start: StartKind) => {
    const quick = workshop.open({ source: QUICK });
    await quick.text();
    const order: string[] = [];
    const slow = workshop.open({ source: SLOW, trust, start });
    const first = slow.text().then((text) => order.push(text));
    for (let i = 0; i < 3; i++) order.push(await quick.text());
    await first;
    expect(order).toEqual(["quick", "quick", "quick", "slow"]);
  },
);

test("a top level that does not end is cut off, and its requests fail", async () => {
  const endless = workshop.open({ source: "for (;;); export default {};" });
  expect(await endless.outcome()).toBe("ISOLATE_FAILED");
  expect(endless.loaded()).toBeNull();
  expect(await workshop.open({ source: QUICK }).text()).toBe("quick");
});

test("a generation that is abandoned while it loads lets go of the isolate when it has come", async () => {
  const slow = workshop.open({ source: SLOW });
  const sent = slow.send();
  await workshop.open({ source: QUICK }).text();
  slow.generation.abandon();
  await slow.gone;
  expect(sent.outcome).toBe("SHUTTING_DOWN");
  while (slow.loaded() === null) await new Promise((resolve) => setImmediate(resolve));
  expect(slow.loaded()?.instance.hasRoom).toBe(false);
});
