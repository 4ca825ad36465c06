import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  openWitness,
  readWitness,
  witnessPath,
  type VersionWitness,
  type Witness,
} from "./witness.ts";

let folder = "";
let path = "";
let witness: Witness;
let scheduled: (() => void)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "islet-witness-"));
  path = join(folder, "witness-1");
  scheduled = [];
  witness = openWitness(path, (run) => void scheduled.push(run));
});
afterEach(() => {
  witness.close();
  rmSync(folder, { recursive: true });
});

/** Lets all that was scheduled happen. */
function pass(): void {
  for (const run of scheduled.splice(0)) run();
}

function versions<const Names extends readonly string[]>(
  ...names: Names
): { [At in keyof Names]: VersionWitness };
function versions(...names: string[]): VersionWitness[] {
  return names.map((endpoint) => witness.of({ endpoint, version: "0123456789abcdef" }));
}

/** As in "main a b, pool c". */
function said(): string {
  const testimony = readWitness(path);
  if (testimony === null) return "nothing";
  const names = (list: typeof testimony.main): string =>
    list.map(({ endpoint }) => ` ${endpoint}`).join("");
  return `main${names(testimony.main)}, pool${names(testimony.pool)}`;
}

function once(version: VersionWitness): void {
  version.enter();
  version.leave();
}

test("a witness that is missing or not a witness says nothing, a new one names nobody", () => {
  expect(readWitness(witnessPath(folder, 2))).toBeNull();
  writeFileSync(path, "junk");
  expect(readWitness(path)).toBeNull();
  writeFileSync(path, '{"main":[{"endpoint":1,"version":"v"},null],"pool":"a"}\n');
  expect(said()).toBe("main, pool");
  openWitness(path).close();
  expect(said()).toBe("main, pool");
});

test("a witness names endpoint and version of what runs", () => {
  const name = { endpoint: "a".repeat(63), version: "0123456789abcdef" };
  witness.of(name).enter();
  expect(readWitness(path)).toEqual({ main: [name], pool: [] });
});

test("a witness names everybody who ran in the same tick, and forgets them with the next", () => {
  const [a, b] = versions("a", "b");
  once(a);
  once(b);
  once(a);
  expect(said()).toBe("main a b, pool");
  pass();
  expect(said()).toBe("main, pool");
  once(b);
  expect(said()).toBe("main b, pool");
});

test("a witness names four and one more, so that it is seen that there were too many", () => {
  const all = versions("a", "b", "c", "d", "e", "f");
  for (const version of all.slice(0, 4)) once(version);
  expect(said()).toBe("main a b c d, pool");
  for (const version of all.slice(4)) once(version);
  expect(said()).toBe("main a b c d e, pool");
});

test("a witness keeps what is under way on other threads, however long", () => {
  const [a, b] = versions("a", "b");
  a.begin();
  a.begin();
  pass();
  once(b);
  expect(said()).toBe("main b, pool a");
  a.end();
  pass();
  expect(said()).toBe("main, pool a");
  a.end();
  pass();
  expect(said()).toBe("main, pool");
});

test("a witness that looks closely names only who runs now, until its time is over", () => {
  const [a, b, c] = versions("a", "b", "c");
  once(a);
  witness.lookClosely(1);
  expect(said()).toBe("main, pool");
  const [stop = (): void => {}] = scheduled.splice(-1);
  once(a);
  expect(said()).toBe("main, pool");
  c.begin();
  b.enter();
  expect(said()).toBe("main b, pool c");
  b.leave();
  expect(said()).toBe("main, pool c");
  c.end();
  expect(said()).toBe("main, pool");
  stop();
  once(a);
  once(b);
  expect(said()).toBe("main a b, pool");
});
