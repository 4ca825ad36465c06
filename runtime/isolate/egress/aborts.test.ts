import { beforeEach, expect, test, vi } from "vitest";
import { abortInTurn } from "./aborts.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let nowMs = 0;
beforeEach(() => {
  vi.spyOn(performance, "now").mockImplementation(() => nowMs);
});

/** Whoever hears of its end takes longer than a turn may. */
function slow(): AbortController {
  const controller = new AbortController();
  controller.signal.addEventListener("abort", () => (nowMs += 6));
  return controller;
}

test("what is broken off at once ends in order, in turns that leave room for others", async () => {
  const controllers = [slow(), slow(), slow()];
  for (const controller of controllers) abortInTurn(controller);
  const seen: number[] = [];
  for (let n = 0; n < 4; n++) {
    seen.push(controllers.filter(({ signal }) => signal.aborted).length);
    await turn();
  }
  expect(seen).toEqual([0, 1, 2, 3]);
});

test("what is quick ends in the next turn", async () => {
  const controllers = Array.from({ length: 20 }, () => new AbortController());
  for (const controller of controllers) abortInTurn(controller);
  await turn();
  expect(controllers.every(({ signal }) => signal.aborted)).toBe(true);
  const later = new AbortController();
  abortInTurn(later);
  expect(later.signal.aborted).toBe(false);
  await turn();
  expect(later.signal.aborted).toBe(true);
});
