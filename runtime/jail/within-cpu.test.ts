import { expect, test } from "vitest";
import { withinCpu } from "./within-cpu.ts";

const MAX = 1_000;

/** Time goes by as the work says; it is looked at by a real timer. */
async function taking(ms: { run: number; cpu: number }, ends: boolean): Promise<number> {
  let at = { run: 5_000, cpu: 7_000 };
  return await withinCpu(MAX, { runMs: () => at.run, cpuMs: () => at.cpu }, async () => {
    at = { run: at.run + ms.run, cpu: at.cpu + ms.cpu };
    if (!ends) await new Promise(() => {});
  });
}

test.each([
  ["just what it may", { run: MAX, cpu: MAX }, MAX],
  ["little of a processor for a long time", { run: MAX * 50, cpu: MAX * 0.9 }, MAX * 0.9],
  ["little, while the engine's other threads work", { run: 1, cpu: MAX * 3 }, 1],
])("work that takes %s may end", async (_what, took, used) => {
  expect(await taking(took, true)).toBe(used);
});

test.each([true, false])("work that takes more is cut off (it ends: %s)", async (ends) => {
  const cut = taking({ run: MAX + 1, cpu: MAX + 1 }, ends);
  await expect(cut).rejects.toMatchObject({ fault: "timeout" });
});
