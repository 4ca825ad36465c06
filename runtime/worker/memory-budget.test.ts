import { expect, test } from "vitest";
import { EVICTIONS_MAX, IDLE_MS_MAX, evictions, type Tenant } from "./memory-budget.ts";

interface Named extends Tenant {
  readonly name: string;
}

const NOW = 10 * IDLE_MS_MAX;

function tenant(name: string, ageMs: number, rests = true): Named {
  return { name, bytes: 10, lastUsedMs: NOW - ageMs, rests };
}

function chosen(tenants: readonly Named[], budgetBytes: number, otherBytes = 0): string[] {
  return evictions(tenants, { nowMs: NOW, otherBytes, budgetBytes }).map(
    (one) => `${one.tenant.name} ${one.reason}`,
  );
}

test("isolates at the budget stay; one byte less of it, and the least recently used goes", () => {
  const tenants = [tenant("new", 1), tenant("old", 3), tenant("mid", 2)];
  expect(chosen(tenants, 31)).toEqual([]);
  expect(chosen(tenants, 30)).toEqual([]);
  expect(chosen(tenants, 29)).toEqual(["old memory"]);
  expect(chosen(tenants, 20)).toEqual(["old memory"]);
  expect(chosen(tenants, 19)).toEqual(["old memory", "mid memory"]);
});

test("what is not to choose from counts against the budget", () => {
  const tenants = [tenant("new", 1), tenant("old", 3)];
  expect(chosen(tenants, 30, 10)).toEqual([]);
  expect(chosen(tenants, 30, 11)).toEqual(["old memory"]);
});

test("one that does not rest is passed over, however large the need", () => {
  expect(chosen([tenant("busy", 3, false), tenant("new", 1)], 0)).toEqual(["new memory"]);
  expect(chosen([tenant("busy", 2 * IDLE_MS_MAX, false)], 0)).toEqual([]);
});

test("one that nobody asked for long goes though there is room, a millisecond earlier it stays", () => {
  expect(chosen([tenant("a", IDLE_MS_MAX - 1)], 1_000)).toEqual([]);
  expect(chosen([tenant("a", IDLE_MS_MAX)], 1_000)).toEqual(["a idle"]);
  expect(chosen([tenant("a", IDLE_MS_MAX + 1), tenant("b", 1)], 1_000)).toEqual(["a idle"]);
});

test("only so many go at a time, the oldest first", () => {
  const tenants = Array.from({ length: EVICTIONS_MAX + 3 }, (_, i) => tenant(`${i}`, 100 - i));
  const names = Array.from({ length: EVICTIONS_MAX }, (_, i) => `${i} memory`);
  expect(chosen(tenants, 0)).toEqual(names);
});
