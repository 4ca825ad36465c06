import { expect, test } from "vitest";
import { createTurns } from "./turns.ts";

test("turns run so many at once, keep so many waiting in order, and refuse the next", async () => {
  const turns = createTurns(2, 2);
  const begun: number[] = [];
  const gates = [0, 1, 2, 3].map(() => Promise.withResolvers<void>());
  const jobs = gates.map((gate, index) =>
    turns.take(async () => {
      begun.push(index);
      await gate.promise;
    }),
  );
  expect(begun).toEqual([0, 1]);
  await expect(turns.take(async () => undefined)).rejects.toMatchObject({ code: "OVERLOADED" });
  gates[1]?.resolve();
  await jobs[1];
  await Promise.resolve();
  expect(begun).toEqual([0, 1, 2]);
  for (const gate of gates) gate.resolve();
  await Promise.all(jobs);
  expect(begun).toEqual([0, 1, 2, 3]);
  await expect(turns.take(async () => "free again")).resolves.toBe("free again");
});

test("turns pass on after a job that fails", async () => {
  const turns = createTurns(1, 1);
  await expect(turns.take(() => Promise.reject(new TypeError("no")))).rejects.toThrow("no");
  await expect(turns.take(async () => 1)).resolves.toBe(1);
});
