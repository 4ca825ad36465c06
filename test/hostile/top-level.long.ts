// More of top-level.test.ts: other ways to the same refusals.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stopEsbuild } from "../../compiler/bundle.ts";
import { openChecking } from "../compiler/checking.ts";
import type { Checking } from "../compiler/checking.ts";

let checking: Checking;
beforeAll(async () => {
  checking = await openChecking();
});
afterAll(async () => {
  checking.close();
  await stopEsbuild();
});

const HANDLER = "export default { fetch() { return 1 } };";

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ["loops after an await", "await 0; for (;;);", /^STARTUP_CPU$/],
  ["loops in promise jobs", "for (;;) await null;", /^STARTUP_CPU$/],
  ["grows buffers", "const a = []; for (;;) a.push(new ArrayBuffer(1e6));", /^STARTUP_MEMORY$/],
  ["fills a billion elements", "new Array(1e9).fill(0);", /^STARTUP_(MEMORY|CPU)$/],
  ["throws null", "throw null;", /^TOP_LEVEL_THROW$/],
];

describe("a module that", () => {
  test.each(REFUSED)("%s is refused", async (_what, top, code) => {
    await expect(checking.check(`${top}\n${HANDLER}`)).rejects.toMatchObject({
      code: expect.stringMatching(code),
    });
  });
});
