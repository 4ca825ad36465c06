// Modules whose top level does its worst. Each must end in a refusal within the checker's own limits, and the
// honest module after them must check as if nothing had happened.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stopEsbuild } from "../../compiler/bundle.ts";
import { openChecking, SLOW } from "../compiler/checking.ts";
import { STARTUP_MEMORY_MB_MAX } from "../../sdk/limits.ts";
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
  ["loops for ever", "for (;;);", /^STARTUP_CPU$/],
  ["waits for ever", "await new Promise(() => {});", /^NO_DEFAULT_EXPORT$/],
  [
    "searches an endless array-like, which nothing interrupts",
    "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);",
    /^STARTUP_CPU$/,
  ],
  ["grows objects", "const a = []; for (;;) a.push(new Array(1000).fill(a.length));", /^STARTUP_/],
  ["recurses", "const f = () => f(); f();", /^TOP_LEVEL_THROW$/],
  ["throws an object that throws", "throw { get message() { throw 1 } };", /^TOP_LEVEL_THROW$/],
];

describe("a module that", () => {
  test.each(REFUSED)("%s is refused", async (_what, top, code) => {
    await expect(checking.check(`${top}\n${HANDLER}`)).rejects.toMatchObject({
      code: expect.stringMatching(code),
    });
  });

  test("was refused leaves the next honest one to be checked as ever", async () => {
    await expect(checking.check(HANDLER)).resolves.toMatchObject({ start: { kind: "quick" } });
  });

  test("takes memory is checked up to what a start may have, and refused beyond", async () => {
    const taking = (mb: number): string =>
      `{ const all = []; for (let i = 0; i < ${mb}; i++) all.push(new Uint8Array(1024 * 1024)); }\n${HANDLER}`;
    const below = STARTUP_MEMORY_MB_MAX * 0.75;
    await expect(checking.check(taking(below))).resolves.toHaveProperty("start");
    await expect(checking.check(taking(STARTUP_MEMORY_MB_MAX * 1.25))).rejects.toMatchObject({
      code: "STARTUP_MEMORY",
      detail: { limitMb: STARTUP_MEMORY_MB_MAX },
    });
  });

  test("misbehaves only while it is snapshotted starts from the platform", async () => {
    // What a context has and a snapshot under construction has not.
    const source = `${SLOW} if (typeof WebAssembly === "undefined") for (;;);\n${HANDLER}`;
    const { start } = await checking.check(source);
    expect(start).toMatchObject({ kind: "platform" });
  });

  test("several of which arrive at once keep none of the others from being checked", async () => {
    // As many as are checked at once: the honest one waits for a place.
    const loops = [1, 2].map((n) => checking.check(`for (;;) ${n};\n${HANDLER}`));
    const honest = checking.check(`//${HANDLER}\n${HANDLER}`);
    const ends = await Promise.allSettled([...loops, honest]);
    expect(ends.map((end) => end.status)).toEqual(["rejected", "rejected", "fulfilled"]);
  });
});
