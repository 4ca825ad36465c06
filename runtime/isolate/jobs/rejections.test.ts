import { expect, test } from "vitest";
import { CELL } from "../../../sdk/bridge.ts";
import { LIMITS } from "../../../sdk/limits.ts";
import { newCells } from "../engine.ts";
import { OpenJobs } from "./open-jobs.ts";
import { Rejections, STRAYS_MAX } from "./rejections.ts";

test(`between two requests, ${STRAYS_MAX} events that are for none are told`, () => {
  let told = 0;
  const rejections = new Rejections(new OpenJobs(), LIMITS.logBytes.default, () => told++);
  const cells = newCells();
  new Int32Array(cells)[CELL.LISTENS] = 1;
  rejections.attach(cells);
  for (const [taken, expected] of [
    [STRAYS_MAX - 1, STRAYS_MAX - 1],
    [1, STRAYS_MAX],
    [1, STRAYS_MAX],
  ] as const) {
    for (let i = 0; i < taken; i++) rejections.take([], "stray");
    expect(told).toBe(expected);
  }
  rejections.accepted();
  rejections.take([], "stray");
  expect(told).toBe(STRAYS_MAX + 1);
});
