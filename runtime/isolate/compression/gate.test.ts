import { expect, test } from "vitest";
import { createGate, type Turns } from "./gate.ts";

/** Pieces that have begun, each with the way to end it. */
class Begun {
  readonly names: string[] = [];
  readonly #ends = new Map<string, () => void>();

  run(turns: Turns, name: string): void {
    turns.run((done) => {
      this.names.push(name);
      this.#ends.set(name, done);
    });
  }

  end(name: string): void {
    this.#ends.get(name)?.();
  }
}

test("pieces of one isolate follow one another, those of others run beside them", () => {
  const gate = createGate(2);
  const [a, b, c] = [gate.createTurns(), gate.createTurns(), gate.createTurns()];
  const begun = new Begun();
  for (const name of ["a1", "a2", "a3"]) begun.run(a, name);
  begun.run(b, "b1");
  begun.run(c, "c1");
  expect(begun.names).toEqual(["a1", "b1"]);
  begun.end("a1");
  expect(begun.names).toEqual(["a1", "b1", "c1"]);
  begun.end("b1");
  begun.end("c1");
  begun.end("a2");
  expect(begun.names).toEqual(["a1", "b1", "c1", "a2", "a3"]);
});

test("a piece that says twice that it is done frees one place", () => {
  const gate = createGate(1);
  const begun = new Begun();
  const [a, b, c] = [gate.createTurns(), gate.createTurns(), gate.createTurns()];
  begun.run(a, "a");
  begun.run(b, "b");
  begun.run(c, "c");
  begun.end("a");
  begun.end("a");
  expect(begun.names).toEqual(["a", "b"]);
});
