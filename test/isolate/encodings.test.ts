// TextDecoder's legacy encodings in real isolates: the decoders are the guest's, their tables the host's.

import { afterAll, beforeAll, expect, test } from "vitest";
import { type Opened, openWorkshop, type Workshop } from "./instances.ts";

let workshop: Workshop;
let opened: Opened;
beforeAll(async () => {
  workshop = await openWorkshop();
  opened = workshop.open({
    // Decodes the same bytes whole, byte by byte, and strictly.
    source: `export default { async fetch(request) {
      const [label, ...bytes] = (await request.text()).split(" ");
      const input = Uint8Array.from(bytes, Number);
      const whole = new TextDecoder(label).decode(input);
      const decoder = new TextDecoder(label);
      let split = "";
      for (const byte of input) split += decoder.decode(Uint8Array.of(byte), { stream: true });
      split += decoder.decode();
      let strict = true;
      try { new TextDecoder(label, { fatal: true }).decode(input); } catch (error) { strict = error.name; }
      return Response.json({ whole, split, strict, again: decoder.decode(input) === whole });
    } };`,
  });
});
afterAll(() => workshop.close());

interface Decoded {
  readonly whole: string;
  readonly split: string;
  readonly strict: true | string;
  readonly again: boolean;
}

async function decode(label: string, bytes: Uint8Array): Promise<Decoded> {
  const body = [label, ...bytes].join(" ");
  return JSON.parse(await opened.text({ method: "POST", body })) as Decoded;
}

const hex = (text: string): Uint8Array =>
  new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));

test.each([
  ["shift_jis", "93fa967b b1 815c 41 f040", "日本ｱ―A\ue000"],
  ["euc-jp", "c6fccbdc 8eb1 8fb0a1 41", "日本ｱ丂A"],
  ["iso-2022-jp", "41 1b2442 467c 4b5c 1b284a 5c7e 1b2849 31 1b2842 5c", "A日本¥‾ｱ\\"],
  ["euc-kr", "c7d1b1b9 8141 a2e6 41", "한국갂€A"],
  ["gbk", "d6d0b9fa 80 a3a0", "中国€\u3000"],
  ["gb18030", "d6d0 8130 8130 9439 da33 41", "中\u0080💩A"],
  ["big5", "a4a4b0ea 8862 88a5 41", "中國Ê\u0304ê\u030cA"],
  ["koi8-r", "f0d2c9d7c5d4", "Привет"],
  ["iso-8859-8-i", "f9ece5ed", "שלום"],
  ["x-user-defined", "41 80 ff", "A\uf780\uf7ff"],
  ["macintosh", "a5 f0", "•\uf8ff"],
])("%s: %s", async (label, bytes, text) => {
  const decoded = await decode(label, hex(bytes));
  expect(decoded).toEqual({ whole: text, split: text, strict: true, again: true });
});

// What the standard makes of what is malformed: how much is swallowed, and what is looked at again.
test.each([
  ["shift_jis", "81 0a 81", "\ufffd\n\ufffd"],
  ["shift_jis", "a0 fd 81ff", "\ufffd\ufffd\ufffd"],
  ["euc-jp", "a1 41 8fa1 41 8e 41", "\ufffdA\ufffdA\ufffdA"],
  ["euc-jp", "8fa1", "\ufffd"],
  ["iso-2022-jp", "1b 24 41", "\ufffd$A"],
  ["iso-2022-jp", "1b2842 1b2842 41", "\ufffdA"],
  ["iso-2022-jp", "1b2442 46", "\ufffd"],
  ["iso-2022-jp", "1b2442 46 1b2842 41", "\ufffdA"],
  ["iso-2022-jp", "0e 80 1b", "\ufffd\ufffd\ufffd"],
  ["euc-kr", "c7 41 ff", "\ufffdA\ufffd"],
  ["gb18030", "81 30 81 41", "\ufffd0丄"],
  ["gb18030", "81 30 41", "\ufffd0A"],
  ["gb18030", "81 20 ff 8130 81", "\ufffd \ufffd\ufffd"],
  ["gb18030", "e339 fe39", "\ufffd"],
  ["big5", "81 20 a4", "\ufffd \ufffd"],
  ["windows-1253", "41 d2", "A\ufffd"],
])("%s: malformed %s", async (label, bytes, text) => {
  const decoded = await decode(label, hex(bytes));
  expect(decoded).toEqual({ whole: text, split: text, strict: "TypeError", again: true });
});

test("pairs of Shift_JIS are what Node makes of them, however they are cut", async () => {
  const bytes: number[] = [];
  for (let lead = 0x88; lead < 0x98; lead++) {
    for (let trail = 0xa0; trail < 0xfc; trail++) bytes.push(lead, trail);
  }
  const input = Uint8Array.from(bytes);
  const { whole, split } = await decode("shift_jis", input);
  expect(whole).toBe(new TextDecoder("shift_jis").decode(input));
  expect(split).toBe(whole);
});

test("at top level legacy encodings are refused, and their tables are nowhere to be seen", async () => {
  const early = workshop.open({
    source: `let seen = 0;
      const typed = Object.getPrototypeOf(Uint8Array.prototype), { apply } = Reflect;
      const nameOf = Object.getOwnPropertyDescriptor(typed, Symbol.toStringTag).get;
      for (const key of ["length", "buffer", "byteLength", "byteOffset"]) {
        const { get } = Object.getOwnPropertyDescriptor(typed, key);
        Object.defineProperty(typed, key, { configurable: true, get() {
          if (apply(nameOf, this, []) === "Uint32Array") seen++;
          return apply(get, this, []);
        } });
      }
      let thrown;
      try { new TextDecoder("koi8-r").decode(Uint8Array.of(0xf0)); } catch (error) { thrown = error.message; }
      export default { fetch() {
        return Response.json([thrown, new TextDecoder("koi8-r").decode(Uint8Array.of(0xf0)), seen]);
      } };`,
    start: "full",
  });
  expect(JSON.parse(await early.text())).toEqual([
    "Legacy encodings are decoded in handlers, not at top level",
    "П",
    0,
  ]);
});
