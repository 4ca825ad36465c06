import { expect, test } from "vitest";
import { CRYPTO_WAITING_MAX } from "../../../sdk/limits.ts";
import { Turns, type Lane } from "./turns.ts";

/** Operations that end when they are told to. */
class Stage {
  readonly began: string[] = [];
  readonly cancelled: string[] = [];
  readonly #ends = new Map<string, () => void>();

  add(turns: Turns, lane: Lane, name: string, owner = 1): boolean {
    return turns.add(lane, {
      owner,
      run: () => {
        this.began.push(name);
        return new Promise((resolve) => this.#ends.set(name, resolve));
      },
      cancel: () => this.cancelled.push(name),
    });
  }

  async end(name: string): Promise<void> {
    this.#ends.get(name)?.();
    this.#ends.delete(name);
    await new Promise(setImmediate);
  }

  async endAll(): Promise<void> {
    while (this.#ends.size > 0) for (const name of this.#ends.keys()) await this.end(name);
  }
}

test("slow operations run one at a time, isolates taking turns; quick ones do not wait for them", async () => {
  const stage = new Stage();
  const [flood, other] = [new Turns(), new Turns()];
  for (const name of ["f1", "f2", "f3"]) stage.add(flood, "slow", name);
  stage.add(other, "slow", "o1");
  stage.add(other, "quick", "o2");
  expect(stage.began).toEqual(["f1", "o2"]);
  await stage.end("f1");
  expect(stage.began).toEqual(["f1", "o2", "o1"]);
  await stage.end("o1");
  expect(stage.began).toEqual(["f1", "o2", "o1", "f2"]);
  await stage.endAll();
  expect(stage.began).toHaveLength(5);
});

test("of three isolates each has its turn before one has its second", async () => {
  const stage = new Stage();
  const isolates = [new Turns(), new Turns(), new Turns()];
  for (const [at, turns] of isolates.entries()) {
    for (const part of ["a", "b"]) stage.add(turns, "quick", `${at}${part}`);
  }
  await stage.endAll();
  expect(stage.began).toEqual(["0a", "1a", "2a", "0b", "1b", "2b"]);
});

test("what waits for a request that has died is cancelled, other requests' not", async () => {
  const stage = new Stage();
  const turns = new Turns();
  stage.add(turns, "slow", "running", 1);
  stage.add(turns, "slow", "dead", 1);
  stage.add(turns, "slow", "alive", 2);
  turns.cancel(1);
  expect(stage.cancelled).toEqual(["dead"]);
  await stage.endAll();
  expect(stage.began).toEqual(["running", "alive"]);
});

test("an isolate that goes leaves its turns to others", async () => {
  const stage = new Stage();
  const [going, other] = [new Turns(), new Turns()];
  for (const name of ["g1", "g2"]) stage.add(going, "slow", name);
  stage.add(other, "slow", "o1");
  going.close();
  await stage.endAll();
  expect(stage.began).toEqual(["g1", "o1"]);
});

test("so many operations of an isolate wait, and not one more", async () => {
  const stage = new Stage();
  const turns = new Turns();
  stage.add(turns, "slow", "running");
  for (let at = 0; at < CRYPTO_WAITING_MAX; at++)
    expect(stage.add(turns, "slow", "waits")).toBe(true);
  expect(stage.add(turns, "quick", "more")).toBe(false);
  expect(stage.add(new Turns(), "quick", "another isolate's")).toBe(true);
  turns.close();
  await stage.endAll();
});

test("operations on this thread leave turns of the event loop to others", async () => {
  const turns = new Turns();
  const order: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const busy = (name: string) => ({
    owner: 1,
    run: async () => {
      const startedMs = performance.now();
      while (performance.now() - startedMs < 2);
      order.push(name);
      if (name === "second") resolve();
    },
    cancel: () => undefined,
  });
  turns.add("here", busy("first"));
  turns.add("here", busy("second"));
  setImmediate(() => order.push("others"));
  await promise;
  expect(order).toEqual(["first", "others", "second"]);
});
