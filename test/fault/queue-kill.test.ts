import { expect, test } from "vitest";
import { temporary } from "../temporary.ts";
import { killOverAndOver } from "./queue-kills.ts";

/** `npm run soak -- queue 1000` does it as often as it takes to be sure. */
const KILLS = 12;

test("a queue whose producers and consumers are killed at any moment loses no acknowledged message", async () => {
  using folder = temporary();
  const report = await killOverAndOver(folder.path, KILLS);
  expect(report).toMatchObject({ kills: KILLS, lost: [], left: 0 });
  expect(report.acknowledged).toBeGreaterThanOrEqual(KILLS / 2 - 1);
  expect(report.handled + report.dead).toBeGreaterThanOrEqual(report.acknowledged);
});
