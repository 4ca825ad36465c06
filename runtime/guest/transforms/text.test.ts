import { afterEach, beforeEach, expect, test } from "vitest";
import { type GuestHarness, openGuest } from "../../../test/guest/harness.ts";

let guest: GuestHarness;
beforeEach(async () => {
  guest = await openGuest();
});
afterEach(() => guest.dispose());

/** What comes out of `stream` when `chunks` go in, chunk by chunk; bytes as lists. Runs here and in the guest. */
const THROUGH = `
  const through = async (stream, chunks) => {
    const writer = stream.writable.getWriter(), out = [];
    const writing = (async () => { for (const chunk of chunks) await writer.write(chunk); await writer.close(); })();
    writing.catch(() => {});
    try {
      for await (const chunk of stream.readable) out.push(typeof chunk === "string" ? chunk : [...chunk]);
      await writing;
    } catch (error) { out.push(error.name); }
    return out;
  };`;

async function both(code: string): Promise<[unknown, unknown]> {
  const text = `${THROUGH} ${code}`;
  const here = (async () => {
    const AsyncFunction = (async () => undefined).constructor as new (
      body: string,
    ) => () => unknown;
    return new AsyncFunction(text)();
  })();
  return [await guest.run(text), await here];
}

test.each([
  ["plain text", `["a", "", "b\\u00e9"]`],
  ["a pair of surrogates in two chunks", `["x\\ud83d", "", "\\ude00y"]`],
  ["a high surrogate that nothing follows", `["\\ud83d", "a"]`],
  ["a high surrogate at the end", `["a\\ud83d"]`],
  ["two high surrogates", `["\\ud83d", "\\ud83d\\ude00"]`],
  ["what is no text", `[1, null, { toString: () => "own" }]`],
  ["what cannot be text", `["a", { toString() { throw new RangeError(); } }]`],
])("TextEncoderStream encodes %s as Node's does", async (_name, chunks) => {
  const [guests, nodes] = await both(`return through(new TextEncoderStream(), ${chunks});`);
  expect(guests).toEqual(nodes);
});

const bytes = (...lists: number[][]): string =>
  `[${lists.map((list) => `new Uint8Array([${list.join(",")}])`).join(",")}]`;

test.each([
  ["a character in three chunks", `"utf-8"`, bytes([0xe2], [0x82], [0xac, 65])],
  ["a character cut off at the end", `"utf-8"`, bytes([65, 0xe2, 0x82])],
  ["malformed bytes", `"utf-8"`, bytes([65, 0xff], [66])],
  ["malformed bytes, where they are fatal", `"utf-8", { fatal: true }`, bytes([65], [0xff])],
  ["an end cut off, where it is fatal", `"utf-8", { fatal: true }`, bytes([65, 0xe2])],
  ["a byte order mark in two chunks", `"utf-8"`, bytes([0xef, 0xbb], [0xbf, 65])],
  ["a byte order mark that is kept", `"utf-8", { ignoreBOM: true }`, bytes([0xef, 0xbb, 0xbf])],
  ["UTF-16 by halves", `"utf-16le"`, bytes([61], [216, 0], [222, 65])],
  ["what is no bytes", `"utf-8"`, `["text"]`],
])("TextDecoderStream decodes %s as Node's does", async (_name, args, chunks) => {
  const [guests, nodes] = await both(
    `const joined = (list) => list.filter((each) => !/Error/.test(each)).join("") + list.filter((each) => /Error/.test(each));
     return joined(await through(new TextDecoderStream(${args}), ${chunks}));`,
  );
  expect(guests).toEqual(nodes);
});

test("both tell what they were made with, and throw when they are not themselves", async () => {
  const [guests, nodes] = await both(
    `const decoder = new TextDecoderStream("latin1", { fatal: true });
     const thrown = [];
     for (const make of [() => new TextDecoderStream("x"), () => TextEncoderStream.prototype.encoding,
       () => TextDecoderStream.prototype.readable, () => TextEncoderStream()]) {
       try { make(); } catch (error) { thrown.push(error.name); }
     }
     return [new TextEncoderStream().encoding, decoder.encoding, decoder.fatal, decoder.ignoreBOM, thrown];`,
  );
  expect(guests).toEqual(nodes);
});

test("patched prototypes change nothing in what the streams do", async () => {
  const result = await guest.run(
    `${THROUGH} const real = { decode: TextDecoder.prototype.decode, slice: String.prototype.slice };
     TextDecoder.prototype.decode = () => "patched";
     String.prototype.slice = () => "patched";
     TransformStreamDefaultController.prototype.enqueue = () => {};
     const decoded = await through(new TextDecoderStream(), [new Uint8Array([97])]);
     const encoded = await through(new TextEncoderStream(), ["a"]);
     return [decoded, encoded];`,
  );
  expect(result).toEqual([["a"], [[97]]]);
});
