import { expect, test } from "vitest";
import { writeFileSync } from "node:fs";
import { EdgeError } from "../../sdk/errors.ts";
import { diskFault } from "./disk-fault.ts";

test("a full disk is DATA_UNWRITABLE, with the reason", () => {
  const fault = diskFault(
    failureOf(() => writeFileSync("/dev/full", "x")),
    "/data",
  );
  expect(fault).toMatchObject({
    code: "DATA_UNWRITABLE",
    message: expect.stringContaining("/data cannot be used: ENOSPC: no space left on device"),
  });
});

test("a missing right is the folder's fault only in the folder", () => {
  const cause = Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" });
  const inside = Object.assign(cause, { path: "/data/run/x" });
  expect(diskFault(inside, "/data")).toMatchObject({ code: "DATA_UNWRITABLE" });
  expect(diskFault(inside, "/other")).toBe(inside);
});

test("what has a code, and bugs, stay what they are", () => {
  for (const error of [new EdgeError("PORT_IN_USE"), new TypeError("x is not a function"), "x"]) {
    expect(diskFault(error, "/data")).toBe(error);
  }
});

function failureOf(run: () => void): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}
