import { beforeEach, expect, test } from "vitest";
import { Counted, Place, SHORT_MS_MAX, type Pace, type Places } from "./places.ts";

let places: Places = { short: new Counted(2), long: new Counted(1) };
let started: string[] = [];

beforeEach(() => {
  places = { short: new Counted(2), long: new Counted(1) };
  started = [];
});

function slice(name: string, pace: Pace): Place {
  const place = new Place(places);
  place.take(pace, () => started.push(name));
  return place;
}

test("as many slices of a kind run as it has places, the others in the order of asking", () => {
  const [a] = ["a", "b", "c", "d"].map((name) => slice(name, "short"));
  expect(started).toEqual(["a", "b"]);
  a?.leave();
  expect(started).toEqual(["a", "b", "c"]);
  a?.leave();
  expect(started).toEqual(["a", "b", "c"]);
});

test("short slices do not wait for long ones, nor long ones for short", () => {
  const burners = ["x", "y", "z"].map((name) => slice(name, "long"));
  slice("a", "short");
  slice("b", "short");
  slice("c", "short");
  expect(started).toEqual(["x", "a", "b"]);
  for (const burner of burners) burner.leave();
  expect(started).toEqual(["x", "a", "b", "y", "z"]);
});

test("a short slice that turns out to be long leaves its place, and long ones wait for it", () => {
  const turncoat = slice("turncoat", "short");
  slice("a", "short");
  slice("b", "short");
  const burner = slice("burner", "long");
  turncoat.ran(SHORT_MS_MAX);
  expect(started).toEqual(["turncoat", "a", "burner"]);
  turncoat.ran(SHORT_MS_MAX + 1);
  turncoat.ran(SHORT_MS_MAX + 2);
  expect(started).toEqual(["turncoat", "a", "burner", "b"]);
  slice("next", "long");
  burner.leave();
  expect(started).not.toContain("next");
  turncoat.leave();
  expect(started).toContain("next");
});

test("what runs on after its slice counts as long until it ends", () => {
  const trailing = slice("a", "short");
  trailing.leave();
  trailing.stay();
  slice("b", "long");
  expect(started).toEqual(["a"]);
  trailing.leave();
  expect(started).toEqual(["a", "b"]);
});

test("an isolate that runs on has one place, also when its next slice starts", () => {
  const one = slice("a", "short");
  one.stay();
  one.take("short", () => started.push("a again"));
  slice("b", "long");
  expect(started).toEqual(["a", "a again", "b"]);
});
