import { afterEach, beforeEach, expect, test } from "vitest";
import { type GuestHarness, openGuest } from "../../../test/guest/harness.ts";

let guest: GuestHarness;
beforeEach(async () => {
  guest = await openGuest();
});
afterEach(() => guest.dispose());

const THROUGH = `
  const name = (error) => error.name;
  const through = async (stream, chunks) => {
    const writer = stream.writable.getWriter();
    const writing = (async () => { for (const chunk of chunks) await writer.write(chunk); await writer.close(); })();
    const text = new Response(stream.readable).text();
    return Promise.all([text.catch(name), writing.then(() => "closed", name)]);
  };
  const bytes = (...list) => new Uint8Array(list);`;

test("IdentityTransformStream passes bytes and text on", async () => {
  const result = await guest.run(
    `${THROUGH} return through(new IdentityTransformStream(),
       [bytes(97), "b\\u00e9", bytes(), bytes(99).buffer, new DataView(bytes(100, 101).buffer, 1)]);`,
  );
  expect(result).toEqual(["abéce", "closed"]);
});

test("a write waits for its reader, and the reader may bring a buffer", async () => {
  const result = await guest.run(
    `${THROUGH} const { readable, writable } = new IdentityTransformStream();
     const writer = writable.getWriter();
     let written = false;
     const writing = writer.write(bytes(1, 2, 3)).then(() => { written = true; });
     for (let turn = 0; turn < 50; turn++) await undefined;
     const before = written;
     const reader = readable.getReader({ mode: "byob" });
     const first = await reader.read(new Uint8Array(2));
     const second = await reader.read(new Uint8Array(2));
     await writing;
     return [before, [...first.value], [...second.value], written];`,
  );
  expect(result).toEqual([false, [1, 2], [3], true]);
});

test("a chunk is copied when it is written", async () => {
  const result = await guest.run(
    `${THROUGH} const { readable, writable } = new IdentityTransformStream();
     const chunk = bytes(1);
     const reading = readable.getReader().read();
     const writing = writable.getWriter().write(chunk);
     const { value } = await reading;
     chunk[0] = 9;
     await writing;
     return [[...value], value.buffer === chunk.buffer];`,
  );
  expect(result).toEqual([[1], false]);
});

test.each([
  ["cancelling", `readable.cancel(reason)`, `writer.write(bytes(1))`],
  ["aborting", `writer.abort(reason)`, `readable.getReader().read()`],
])("%s one end fails the other with the reason", async (_name, end, other) => {
  const result = await guest.run(
    `${THROUGH} const { readable, writable } = new IdentityTransformStream();
     const writer = writable.getWriter(), reason = new RangeError("why");
     await ${end};
     writer.closed.catch(() => {});
     return ${other}.then(() => "passed", (error) => error === reason);`,
  );
  expect(result).toBe(true);
});

test.each([`{}`, `null`, `undefined`, `[1]`])("a chunk %s fails both ends", async (chunk) => {
  expect(
    await guest.run(`${THROUGH} return through(new IdentityTransformStream(), [${chunk}]);`),
  ).toEqual(["TypeError", "TypeError"]);
});

test.each([
  [3, ["abc", "closed"]],
  [2, ["TypeError", "TypeError"]],
  [4, ["TypeError", "TypeError"]],
])("FixedLengthStream(%i) takes three bytes: %j", async (length, expected) => {
  const code = `${THROUGH} return through(new FixedLengthStream(${length}), ["ab", "c"]);`;
  expect(await guest.run(code)).toEqual(expected);
  expect(await guest.run(code.replace(`${length})`, `${length}n)`))).toEqual(expected);
});

test("FixedLengthStream refuses what is no length", async () => {
  expect(
    await guest.run(
      `return [-1, 1.5, NaN, 2 ** 53, "x", undefined].map((length) => {
         try { new FixedLengthStream(length); return "made"; } catch (error) { return error.name; }
       });`,
    ),
  ).toEqual(Array(6).fill("TypeError"));
});
