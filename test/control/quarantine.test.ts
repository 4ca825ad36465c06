// Strikes against a version, its quarantine, and what releases it.

import { expect, test } from "vitest";
import {
  quarantineOf,
  release,
  strike,
  STRIKE_WINDOW_MS,
  strikesOf,
  STRIKES_MAX,
} from "../../control/quarantine.ts";
import type { EndpointRecord } from "../../sdk/records.ts";
import { HANDLER, openTestNode, request, type TestNode } from "./node.ts";
import { AT, endpoint } from "./samples.ts";

const NOW = Date.parse(AT);
const A = { version: "a", reason: "stalled" } as const;
const B = { version: "b", reason: "crash" } as const;

function struck(times: number, from: EndpointRecord = endpoint("x"), nowMs = NOW): EndpointRecord {
  let record = from;
  for (let at = 0; at < times; at++) record = strike(record, A, nowMs);
  return record;
}

test("a version is quarantined with its third strike, not before", () => {
  const two = struck(STRIKES_MAX - 1);
  expect(quarantineOf(two, "a")).toBeNull();
  expect(strikesOf(two, "a", NOW)).toHaveLength(2);
  const three = strike(two, A, NOW);
  expect(quarantineOf(three, "a")).toEqual({
    version: "a",
    since: AT,
    strikes: Array(3).fill({ ...A, at: AT }),
  });
  expect(strikesOf(three, "a", NOW)).toEqual([]);
  expect(strike(three, A, NOW)).toBe(three);
});

test("strikes of other versions do not add up", () => {
  const record = strike(struck(STRIKES_MAX - 1), B, NOW);
  expect(record.quarantined).toBeUndefined();
  expect(strikesOf(record, "b", NOW)).toHaveLength(1);
  expect(quarantineOf(strike(record, A, NOW), "b")).toBeNull();
});

test("a strike counts until its window is over", () => {
  const two = struck(STRIKES_MAX - 1);
  expect(quarantineOf(strike(two, A, NOW + STRIKE_WINDOW_MS - 1), "a")).not.toBeNull();
  const late = strike(two, A, NOW + STRIKE_WINDOW_MS);
  expect(quarantineOf(late, "a")).toBeNull();
  expect(late.strikes).toHaveLength(1);
});

test("a release takes away what is against one version and leaves the rest", () => {
  const record = strike(strike(struck(STRIKES_MAX), B, NOW), { ...B, version: "c" }, NOW);
  const free = release(record, "a");
  expect(free.quarantined).toBeUndefined();
  expect(free.strikes).toHaveLength(2);
  expect(release(release(free, "b"), "c")).toEqual(endpoint("x"));
});

async function quarantine(node: TestNode, name: string, version: string): Promise<void> {
  for (let at = 0; at < STRIKES_MAX; at++) {
    await node.control.strike(name, { version, reason: "wedged" });
  }
  expect(isQuarantined(node, name, version)).toBe(true);
}

function isQuarantined(node: TestNode, name: string, version: string): boolean {
  const found = node.registry.get(name);
  return found !== null && quarantineOf(found.endpoint, version) !== null;
}

test("a strike is a change of the registry that the workers are told of", async () => {
  await using node = await openTestNode();
  const { version } = await node.control.publish(request("hello"));
  const before = node.registry.revision();
  const verdict = await node.control.strike("hello", { version, reason: "stalled" });
  expect(verdict).toEqual({ strikes: 1, quarantined: false });
  expect(node.registry.revision()).toBe(before + 1);
  expect(node.registry.changedSince(before)).toEqual(["hello"]);
  expect(node.fleet.log.at(-1)).toBe(`announce ${before + 1}`);
});

test("a strike against what is not there any more is none", async () => {
  await using node = await openTestNode();
  await node.control.publish(request("hello"));
  const before = node.registry.revision();
  const none = { strikes: 0, quarantined: false };
  expect(await node.control.strike("hello", { version: "gone", reason: "crash" })).toEqual(none);
  expect(await node.control.strike("gone", { version: "gone", reason: "crash" })).toEqual(none);
  expect(node.registry.revision()).toBe(before);
});

test("a quarantined version is released by publishing it anew, by start, and by naming it in a rollback", async () => {
  await using node = await openTestNode();
  const { version } = await node.control.publish(request("hello"));
  await quarantine(node, "hello", version);
  await node.control.publish(request("hello"));
  expect(isQuarantined(node, "hello", version)).toBe(false);
  await quarantine(node, "hello", version);
  await node.control.start("hello");
  expect(isQuarantined(node, "hello", version)).toBe(false);
  await quarantine(node, "hello", version);
  await node.control.publish(request("hello", { code: `${HANDLER} // 2` }));
  expect(isQuarantined(node, "hello", version)).toBe(true);
  await node.control.rollback("hello", { version });
  expect(isQuarantined(node, "hello", version)).toBe(false);
});

test("a rollback that names no version passes over quarantined ones", async () => {
  await using node = await openTestNode();
  const first = await node.control.publish(request("hello", { code: `${HANDLER} // 1` }));
  const second = await node.control.publish(request("hello", { code: `${HANDLER} // 2` }));
  await node.control.publish(request("hello", { code: `${HANDLER} // 3` }));
  await quarantine(node, "hello", second.version);
  const { version } = await node.control.rollback("hello");
  expect(version).toBe(first.version);
});
