import { expect, test } from "vitest";
import { temporary } from "../temporary.ts";
import { killKvOverAndOver } from "./kv-kills.ts";

/** `npm run soak -- kv 1000` does it as often as it takes to be sure. */
const KILLS = 9;

test("a namespace whose writers are killed at any moment loses no acknowledged put and tears none", async () => {
  using folder = temporary();
  const report = await killKvOverAndOver(folder.path, KILLS);
  expect(report).toMatchObject({ kills: KILLS, lost: [], torn: [] });
  expect(report.acknowledged).toBeGreaterThanOrEqual(KILLS);
});
