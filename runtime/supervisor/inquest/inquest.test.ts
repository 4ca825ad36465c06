import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RestartReason } from "../../../sdk/node.ts";
import { CLOSE_LOOK_MS, Inquest } from "./inquest.ts";

const NOW = 1_000_000;

let folder = "";
let inquest = new Inquest();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "islet-inquest-"));
  inquest = new Inquest();
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Names {
  readonly main?: string;
  readonly pool?: string;
}

/** Names with a space between them; the culprit's name. */
function found({ main = "", pool = "" }: Names, reason: RestartReason, now = NOW): string | null {
  const path = join(folder, "witness");
  const list = (names: string): unknown[] =>
    names.split(" ").flatMap((endpoint) => (endpoint === "" ? [] : [{ endpoint, version: "v" }]));
  writeFileSync(path, `${JSON.stringify({ main: list(main), pool: list(pool) })}\n`);
  return inquest.culprit(path, reason, now)?.endpoint ?? null;
}

test("the only one that ran is the culprit of a crash, on whatever thread", () => {
  expect(found({ main: "a" }, "crash")).toBe("a");
  expect(found({ pool: "b" }, "crash")).toBe("b");
  expect(found({ main: "c", pool: "c" }, "memory")).toBe("c");
});

test("a worker that died while nobody ran, or left no witness, has no culprit", () => {
  expect(found({}, "crash")).toBeNull();
  expect(inquest.culprit(join(folder, "none"), "crash", NOW)).toBeNull();
  expect(inquest.closeLookMs(NOW)).toBe(0);
});

test("whoever ran in a worker that was killed or told to end is no culprit", () => {
  for (const reason of ["killed", "exit", "terminated", "outdated"] as const) {
    expect(found({ main: "a" }, reason)).toBeNull();
  }
});

test("a worker stands still for what ran on its own thread only", () => {
  expect(found({ main: "a", pool: "b" }, "stalled")).toBe("a");
  expect(found({ pool: "b" }, "stalled")).toBeNull();
});

test("of several suspects it is whoever the deaths have in common", () => {
  expect(found({ main: "a b", pool: "c" }, "crash")).toBeNull();
  expect(found({ main: "a c" }, "crash")).toBeNull();
  expect(found({ main: "c d" }, "crash")).toBe("c");
  expect(found({ main: "x", pool: "c" }, "crash")).toBe("c");
  // Another cause.
  expect(found({ main: "x y" }, "crash")).toBeNull();
});

test("a death that left too many names tells nothing", () => {
  expect(found({ main: "a b" }, "crash")).toBeNull();
  expect(found({ main: "a c d e f" }, "crash")).toBeNull();
  expect(found({ main: "a c" }, "crash")).toBe("a");
});

test("workers look closely for an hour after a death, and suspects are remembered as long", () => {
  expect(found({ main: "a b" }, "crash")).toBeNull();
  expect(inquest.closeLookMs(NOW)).toBe(CLOSE_LOOK_MS);
  expect(inquest.closeLookMs(NOW + CLOSE_LOOK_MS - 1)).toBe(1);
  expect(inquest.closeLookMs(NOW + CLOSE_LOOK_MS)).toBe(0);
  expect(found({ main: "a c" }, "crash", NOW + CLOSE_LOOK_MS)).toBeNull();
  expect(found({ main: "a d" }, "crash", NOW + 2 * CLOSE_LOOK_MS - 1)).toBe("a");
});
