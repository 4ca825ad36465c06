import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";

import { type GuestHarness, openGuest } from "../../test/guest/harness.ts";

let guest: GuestHarness;
beforeAll(async () => {
  guest = await openGuest();
});
afterAll(() => guest.dispose());

type Pair = readonly [name: string, value: string, filename: string | null];

const word = fc.oneof(
  fc.constantFrom("", "a", 'q"uote', "ü", "l\nine", "l\r\nine", "--x", "\r\n--", "%22", "a=b&c+d"),
  // Node also decodes lower-case escapes, which nobody writes and the standard does not name.
  fc.string({ maxLength: 10 }).filter((text) => !/%0[ad]/.test(text)),
);
const pair = fc.tuple(word, word, fc.option(word));

function parsed(form: FormData): Promise<unknown[]> {
  return Promise.all(
    [...form].map(async ([name, value]) =>
      typeof value === "string"
        ? [name, value]
        : [name, await value.text(), value.name, value.type],
    ),
  );
}

test("a multipart body reads back in the guest as in Node", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(pair, { maxLength: 5 }), async (pairs: readonly Pair[]) => {
      const [type, text, own] = await guest.run<[string, string, unknown[]]>(
        `const form = new FormData();
         for (const [name, value, filename] of argument) {
           if (filename === null) form.append(name, value);
           else form.append(name, new File([value], filename, { type: "text/x" }));
         }
         const response = new Response(form);
         const copy = response.clone();
         const parsed = ${parsed.toString()};
         return [response.headers.get("content-type"), await copy.text(), await parsed(await response.formData())];`,
        pairs,
      );
      const node = await new Response(text, { headers: { "content-type": type } }).formData();
      expect(own).toEqual(await parsed(node));
    }),
    { numRuns: 200 },
  );
});

test("an urlencoded body reads as in Node", async () => {
  // ASCII only: Node itself misreads other characters that stand next to a stray percent sign.
  const body = fc.array(fc.constantFrom("a", "=", "&", "+", "%", "%41", "%E4%B8", "%C3%BC", "u"), {
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(body, async (parts) => {
      const text = parts.join("");
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      const own = await guest.run(
        `const form = await new Response(argument.text, { headers: argument.headers }).formData();
         return [...form];`,
        { text, headers },
      );
      expect(own).toEqual([...(await new Response(text, { headers }).formData())]);
    }),
    { numRuns: 200 },
  );
});

test("a broken multipart body is a TypeError", async () => {
  const bodies = [
    "",
    "--b",
    "--b\r\n",
    "--b\r\nx: y\r\n\r\nz\r\n--b--",
    "--b\r\n\r\n\r\n--b--",
    "--c--",
    "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nz",
  ];
  const result = await guest.run<string[]>(
    `return Promise.all(argument.map((body) =>
       new Response(body, { headers: { "content-type": "multipart/form-data; boundary=b" } })
         .formData().then(() => "parsed", (error) => error.name)));`,
    bodies,
  );
  expect(result).toEqual(bodies.map(() => "TypeError"));
});
