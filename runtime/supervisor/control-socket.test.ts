import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { controlSocketPath } from "./control-socket.ts";

const LONG = `/${"x".repeat(120)}`;

afterEach(() => {
  vi.unstubAllEnvs();
});

test("the control socket lies in the data folder", () => {
  expect(controlSocketPath("/data")).toBe("/data/run/control.sock");
});

test("the control socket of a long data folder lies in a temporary one of its own", () => {
  const path = controlSocketPath(LONG);
  expect(dirname(dirname(path))).toBe(tmpdir());
  expect(controlSocketPath(LONG)).toBe(path);
  expect(controlSocketPath(`${LONG}/other`)).not.toBe(path);
});

test("the control socket lies in /tmp where temporary files have a long path too", () => {
  vi.stubEnv("TMPDIR", LONG);
  expect(dirname(dirname(controlSocketPath(LONG)))).toBe("/tmp");
});
