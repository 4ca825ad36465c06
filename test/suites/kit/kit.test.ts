import { expect, test } from "vitest";
import { expect as expectOfKit } from "./expect.ts";
import { describe, failureOf, it, run } from "./registry.ts";
import { fn, spyOn } from "./spies.ts";

/** Whether the kit's matcher passes. */
async function passes(
  value: unknown,
  path: string,
  ...wanted: readonly unknown[]
): Promise<boolean> {
  let at: unknown = expectOfKit(value);
  const names = path.split(".");
  for (const name of names.slice(0, -1)) at = Reflect.get(Object(at), name);
  try {
    await (Reflect.get(Object(at), names.at(-1) ?? "") as (...all: unknown[]) => unknown)(
      ...wanted,
    );
    return true;
  } catch {
    return false;
  }
}

const thrower = (): never => {
  throw new TypeError("it is broken");
};

test.each<[unknown, string, readonly unknown[], boolean]>([
  [1, "toBe", [1], true],
  [1, "not.toBe", [1], false],
  [{ a: undefined }, "toEqual", [{}], true],
  [{ a: undefined }, "toStrictEqual", [{}], false],
  [{ a: 1, b: 2 }, "toEqual", [{ a: 1 }], false],
  [{ a: 1, b: 2 }, "toMatchObject", [{ a: 1 }], true],
  [[1, 2], "toMatchObject", [[1]], false],
  [new Map([[1, { a: 1 }]]), "toEqual", [new Map([[1, { a: 2 }]])], false],
  [new Uint8Array([1]), "toEqual", [new Uint8Array([1])], true],
  [new Date(1), "toEqual", [new Date(2)], false],
  [{ a: 1 }, "toEqual", [{ a: expectOfKit.any(Number) }], true],
  [{ a: "1" }, "toEqual", [{ a: expectOfKit.any(Number) }], false],
  [thrower, "toThrow", ["broken"], true],
  [thrower, "toThrow", [RangeError], false],
  [() => 1, "toThrow", [], false],
  [async () => thrower(), "rejects.toThrow", [/broken/], true],
  [Promise.resolve(1), "rejects.toThrow", [], false],
  [{ a: { b: null } }, "toHaveProperty", ["a.b", null], true],
  [{ a: {} }, "toHaveProperty", ["a.b"], false],
  [1, "toBeNothingKnown", [], false],
])("the stand-in's matcher judges %o %s %j as %s", async (value, path, wanted, passed) => {
  expect(await passes(value, path, ...wanted)).toBe(passed);
});

test("a spy of the stand-in tells its calls, and gives back what it replaced", async () => {
  const target = { add: (a: number, b: number): number => a + b };
  const original = target.add;
  const spy = spyOn(target, "add");
  expect(target.add(1, 2)).toBe(3);
  spy.mockImplementation(() => 9);
  expect(target.add(3, 4)).toBe(9);
  expect(await passes(spy, "toHaveBeenNthCalledWith", 2, 3, 4)).toBe(true);
  expect(await passes(spy, "toHaveReturnedWith", 4)).toBe(false);
  spy.mockRestore();
  expect(target.add).toBe(original);
  expect(await fn().mockResolvedValue("later")()).toBe("later");
});

test("what is registered runs in its order, with its hooks, and a failure keeps nothing back", async () => {
  const seen: string[] = [];
  describe("outer", () => {
    it("fails", () => thrower());
    it.skip("is skipped");
    it.each([[1, 2]])("%i and %i", (a: number, b: number) => void seen.push(`${a}${b}`));
    it("skips itself", (context: { skip(): void }) => context.skip());
  });
  const { passed, skipped, failures } = await run();
  expect([passed, skipped, seen]).toEqual([1, 2, ["12"]]);
  expect(failures).toMatchObject([{ name: "outer > fails", message: "it is broken" }]);
  expect(failureOf("n", "a text").message).toBe('"a text"');
});
