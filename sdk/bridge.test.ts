import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Records, pack } from "./bridge.ts";

type Row = readonly [op: string, id: number, payload: string];

function rows(packed: string): { whole: boolean; rows: Row[] } {
  const taken: Row[] = [];
  const records = new Records(packed);
  while (records.next()) taken.push([records.op, records.id, records.payload]);
  expect(records.next()).toBe(false);
  return { whole: !records.malformed, rows: taken };
}

const payload = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom("\n", "\0", "1", "R", "\ud800", "😀") }),
);
const row = fc.tuple(
  fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 1 }),
  fc.nat(),
  payload,
);

describe("records", () => {
  test("come out as they went in, whatever their payloads contain", () => {
    fc.assert(
      fc.property(fc.array(row), (list) => {
        const packed = list.map(([op, id, text]) => pack(op, id, text)).join("");
        expect(rows(packed)).toEqual({ whole: true, rows: list });
      }),
    );
  });

  test("that are cut short anywhere are refused, and what came before was taken", () => {
    const list: Row[] = [
      ["R", 1, "a\nb"],
      ["C", 20, ""],
      ["l", 3, "10\n"],
    ];
    const parts = list.map(([op, id, text]) => pack(op, id, text));
    const packed = parts.join("");
    const ends = parts.map((_, n) => parts.slice(0, n + 1).join("").length);
    for (let length = 1; length < packed.length; length++) {
      const taken = ends.filter((end) => end <= length).length;
      expect(rows(packed.slice(0, length))).toEqual({
        whole: ends.includes(length),
        rows: list.slice(0, taken),
      });
    }
  });

  test.each([
    "R",
    "\n",
    "R1\n",
    "R1\n5\n",
    "R1\n-1\n",
    "R\n0\n",
    "R1\n\n",
    "R+1\n0\n",
    "R 1\n0\n",
    "R1\n0x1\nx",
    "R12345678901\n0\n",
    "R1\n1e9\nx",
    "R1\nNaN\n",
    "R1\nInfinity\n",
    "R1\n0.5\nx",
    "Rx\n0\n",
    "R1.5\n0\n",
    "R9007199254740992\n0\n",
    "R1\n9007199254740991\nx",
  ])("that are malformed as %j are refused", (packed) => {
    expect(rows(packed)).toEqual({ whole: false, rows: [] });
  });

  test("of any text at all neither throw nor loop, and take less than the text's length", () => {
    const text = fc.string({
      unit: fc.constantFrom("\n", "\n", "0", "1", "9", "-", "R", " ", "e"),
    });
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: "binary" })), (packed) => {
        expect(rows(packed).rows.length).toBeLessThanOrEqual(packed.length / 2);
      }),
    );
  });
});
