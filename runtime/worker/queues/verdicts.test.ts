import { expect, test } from "vitest";
import type { QueueBatch } from "../../../sdk/services/queue.ts";
import type { Outcome } from "../../../sdk/outcome.ts";
import { isSpent, settlementOf } from "./verdicts.ts";

const RULES = { maxRetries: 2, deadLetterQueue: "dead", retryDelaySeconds: 30 };

function batch(...attempts: number[]): QueueBatch {
  const messages = attempts.map((tried, at) => ({
    id: `${at}`,
    timestampMs: 0,
    attempts: tried,
    contentType: "text" as const,
    body: new Uint8Array(),
    receipt: `r${at}`,
  }));
  return { lease: "lease", messages };
}

function ended(said: unknown, outcome: Outcome = "ok", returned = true) {
  return { outcome, returned, text: typeof said === "string" ? said : JSON.stringify(said) };
}

const retry = (receipt: string, delayMs: number, delivered = true) => ({
  receipt,
  delayMs,
  delivered,
});

test("a method that returns and says nothing is done with its batch", () => {
  const settled = settlementOf(batch(1, 1), ended({ all: null, messages: [null, null] }), RULES);
  expect(settled).toMatchObject({ lease: "lease", acked: ["r0", "r1"], retried: [], dead: [] });
});

test("what is said of a message counts before what is said of all", () => {
  const said = { all: 5, messages: [-1, 0.5, "", null] };
  const settled = settlementOf(batch(1, 1, 1, 1), ended(said), RULES);
  expect(settled.acked).toEqual(["r0"]);
  expect(settled.retried).toEqual([retry("r1", 500), retry("r2", 30_000), retry("r3", 5_000)]);
  const acked = settlementOf(batch(1, 1), ended({ all: -1, messages: ["", null] }), RULES);
  expect(acked).toMatchObject({ acked: ["r1"], retried: [retry("r0", 30_000)] });
});

test("a method that throws keeps what it acknowledged, and gets the rest again", () => {
  const end = ended({ all: null, messages: [-1, null] }, "ok", false);
  const settled = settlementOf(batch(1, 1), end, RULES);
  expect(settled).toMatchObject({ acked: ["r0"], retried: [retry("r1", 30_000)] });
});

test("a message comes again maxRetries times, then it is dead", () => {
  const end = ended({ all: "", messages: [null, null, null] });
  const settled = settlementOf(batch(1, 2, 3), end, RULES);
  expect(settled.retried.map(({ receipt }) => receipt)).toEqual(["r0", "r1"]);
  expect(settled).toMatchObject({ dead: ["r2"], deadLetterQueue: "dead" });
});

test("a message that took its workers with it each time is dead without another try", () => {
  const spent = batch(4, 1);
  expect(spent.messages.map((message) => isSpent(message, RULES))).toEqual([true, false]);
  // The handler was given the second one only.
  const settled = settlementOf(spent, ended({ all: null, messages: ["", -1] }), RULES);
  expect(settled).toMatchObject({ dead: ["r0"], retried: [retry("r1", 30_000)], acked: [] });
});

test.each<[Outcome, boolean]>([
  ["CPU_LIMIT", true],
  ["MEMORY_LIMIT", true],
  ["HANDLER_EXCEPTION", true],
  ["NO_RESPONSE", true],
  ["HANDLER_TIMEOUT", true],
  ["OVERLOADED", false],
  ["SHUTTING_DOWN", false],
  ["ISOLATE_FAILED", false],
])("an event that ends with %s counts as a try: %s", (outcome, counts) => {
  const settled = settlementOf(batch(3), ended("", outcome, false), RULES);
  expect(settled.dead).toEqual(counts ? ["r0"] : []);
  expect(settled.retried).toEqual(counts ? [] : [retry("r0", 1_000, false)]);
});

test.each([
  "",
  "{",
  "null",
  "[]",
  '"ack"',
  '{"messages":"all"}',
  '{"all":{"ack":true},"messages":[{}]}',
  '{"all":43201,"messages":[1e300]}',
  '{"all":-2,"messages":[true]}',
])("an outcome that no honest guest says (%s) acknowledges nothing it does not say", (text) => {
  const settled = settlementOf(batch(1), ended(text, "ok", false), RULES);
  expect(settled).toMatchObject({ acked: [], retried: [retry("r0", 30_000)], dead: [] });
});
