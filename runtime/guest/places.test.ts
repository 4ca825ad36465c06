import { expect, test } from "vitest";
import { OPEN_MAX } from "../../sdk/bridge.ts";
import { Places } from "./places.ts";

const one = { id: OPEN_MAX + 7 };
const other = { id: 2 * OPEN_MAX + 7 };

test("requests are found by their number and nothing else until they are deleted", () => {
  const places = new Places<{ readonly id: number }>();
  expect(places.get(one.id)).toBeUndefined();
  places.open(one);
  expect(places.get(one.id)).toBe(one);
  expect(places.get(other.id)).toBeUndefined();
  places.delete(one);
  expect(places.get(one.id)).toBeUndefined();
});

test("a request that comes back after its place was given away does not disturb the new one", () => {
  const places = new Places<{ readonly id: number }>();
  places.open(one);
  places.delete(one);
  places.open(other);
  places.reopen(one);
  expect([places.get(one.id), places.get(other.id)]).toEqual([one, other]);
  places.delete(one);
  expect([places.get(one.id), places.get(other.id)]).toEqual([undefined, other]);
  places.delete(one);
  expect(places.get(other.id)).toBe(other);
});

test("a request that comes back to a free place is found, and once only", () => {
  const places = new Places<{ readonly id: number }>();
  places.open(one);
  places.reopen(one);
  places.delete(one);
  expect(places.get(one.id)).toBeUndefined();
  places.reopen(one);
  expect(places.get(one.id)).toBe(one);
});
