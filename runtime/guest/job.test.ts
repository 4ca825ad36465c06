import { expect, test } from "vitest";
import { createAwaitable, settle } from "./job.ts";

/** What `run` reads of `constructor` on Promise.prototype. */
function readsDuring(run: () => void): number {
  const prototype: object = Promise.prototype;
  const before = Object.getOwnPropertyDescriptor(prototype, "constructor") as PropertyDescriptor;
  let reads = 0;
  Object.defineProperty(prototype, "constructor", {
    configurable: true,
    get() {
      reads++;
      return Promise;
    },
  });
  try {
    run();
  } finally {
    Object.defineProperty(prototype, "constructor", before);
  }
  return reads;
}

test("waiting asks nothing of the author's, and gives no promise a constructor of its own", async () => {
  const kept = Promise.resolve(1);
  const broken = Promise.reject(new Error("broken"));
  const awaited = createAwaitable<number>((resolve) => resolve(2));
  const told: unknown[] = [];
  const tell = (what: unknown): void => {
    told.push(what);
  };
  const reads = readsDuring(() => {
    settle(kept, tell, tell);
    settle(broken, tell, tell);
    void (async () => tell(await awaited))();
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(told).toEqual([1, new Error("broken"), 2]);
  expect(reads).toBe(0);
  // One that had would slow every `then` and `await` of its isolate.
  for (const promise of [kept, broken, awaited]) {
    expect(Object.hasOwn(promise, "constructor")).toBe(false);
  }
});
