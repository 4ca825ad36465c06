// Counts and samples are those of the Encoding standard's indexes.

import { expect, test } from "vitest";
import * as encodings from "../../sdk/text/encodings.ts";
import { encodingTables } from "./encoding-tables.ts";

const points = new Uint32Array(encodingTables());
const table = ({ at, length }: encodings.Section): Uint32Array => points.subarray(at, at + length);

test.each([
  ["EUC_KR", encodings.EUC_KR, 17_048],
  ["GB18030", encodings.GB18030, 23_940],
  ["JIS0208", encodings.JIS0208, 7_724],
  ["JIS0212", encodings.JIS0212, 6_067],
])("%s has as many characters as the standard", (_name, section, count) => {
  expect(table(section).filter((point) => point > 0).length).toBe(count);
});

test.each([
  [
    "the last syllable that Windows added",
    encodings.EUC_KR,
    (0xc6 - 0x81) * 190 + 0x52 - 0x41,
    0xd7a3,
  ],
  ["the first one", encodings.EUC_KR, 0, 0xac02],
  ["the euro in Korean", encodings.EUC_KR, 6_435, 0x20ac],
  ["a syllable of the older standard", encodings.EUC_KR, (0xb0 - 0x81) * 190 + 0xa1 - 0x41, 0xac00],
  ["the wave dash of Windows", encodings.JIS0208, 32, 0xff5e],
  ["the first kanji of level one", encodings.JIS0208, 1_410, 0x4e9c],
  [
    "what is for private use in China",
    encodings.GB18030,
    (0xaa - 0x81) * 190 + 0xa1 - 0x41,
    0xe000,
  ],
  ["the space of compatibility", encodings.GB18030, 6_555, 0x3000],
  ["four bytes", encodings.GB18030_RANGES, 0, 0x80],
  ["four bytes at the end of the plane", encodings.GB18030_RANGES, 39_419, 0xffff],
  ["a Chinese character", encodings.BIG5, (0xa4 - 0x81) * 157, 0x4e00],
])("%s is where the standard has it", (_name, section, pointer, point) => {
  expect(table(section)[pointer]?.toString(16)).toBe(point.toString(16));
});

test("no syllable stands twice in Korean", () => {
  const syllables = table(encodings.EUC_KR).filter((point) => point >= 0xac00 && point <= 0xd7a3);
  expect(new Set(syllables).size).toBe(11_172);
  expect(syllables.length).toBe(11_172);
});

test("each single byte is what Node makes of it", () => {
  for (const [index, name] of encodings.SINGLE_BYTE.entries()) {
    const decoder = new TextDecoder(name);
    for (let byte = 0; byte < encodings.SINGLE_BYTE_LENGTH; byte++) {
      const text = decoder.decode(Uint8Array.of(0x80 + byte));
      const point = points[index * encodings.SINGLE_BYTE_LENGTH + byte] ?? 0;
      expect(String.fromCodePoint(point === 0 ? 0xfffd : point), `${name} ${byte}`).toBe(text);
    }
  }
});
