import { expect, test } from "vitest";
import type { Runner } from "./contract.ts";
import { createSliceHost } from "./host.ts";
import { Counted } from "./places.ts";

const nothing = (): void => {};
const witness = { enter: nothing, leave: nothing, begin: nothing, end: nothing };

function runner(flush: () => void): Runner {
  return { witness, flush, look: () => 0, check: nothing };
}

function spin(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

test("who holds the thread for long is followed by a turn of the event loop, not by the next in line", async () => {
  const host = createSliceHost({ short: new Counted(1), long: new Counted(1) });
  const order: string[] = [];
  const done = Promise.withResolvers<void>();
  const again = runner(() => {
    order.push("again");
    done.resolve();
  });
  setTimeout(() => order.push("others"), 1);
  host.schedule(runner(() => order.push("short")));
  host.schedule(
    runner(() => {
      order.push("long");
      host.schedule(again);
      spin(25);
    }),
  );
  host.schedule(runner(() => order.push("next")));
  await done.promise;
  expect(order).toEqual(["short", "long", "others", "next", "again"]);
  host.close();
});
