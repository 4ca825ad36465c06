import { once } from "node:events";
import { expect, test } from "vitest";
import { Encoders } from "./encoder.ts";

test("engines are bounded by what they hold, and give it back at their end", async () => {
  const mib = 1024 * 1024;
  const encoders = new Encoders(2.25 * mib);
  const first = encoders.open("br");
  expect(first).not.toBeNull();
  expect(encoders.open("gzip")).toBeNull();
  first?.destroy();
  if (first !== null) await once(first, "close");
  const second = encoders.open("zstd");
  second?.resume().end("text");
  if (second !== null) await once(second, "close");
  expect(new Encoders(2.25 * mib - 1).open("br")).toBeNull();
  const third = encoders.open("br");
  expect(third).not.toBeNull();
  third?.destroy();
});
