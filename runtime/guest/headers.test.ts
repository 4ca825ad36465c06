import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";

import { type GuestHarness, openGuest } from "../../test/guest/harness.ts";

let guest: GuestHarness;
beforeAll(async () => {
  guest = await openGuest();
});
afterAll(() => guest.dispose());

type Step = readonly [op: string, name: string, value: string];

/** Runs in Node as it stands, and in the guest as source text. */
function replay(steps: readonly Step[]): unknown[] {
  const headers = new Headers();
  const seen: unknown[] = [];
  for (const [op, name, value] of steps) {
    try {
      if (op === "append") headers.append(name, value);
      else if (op === "set") headers.set(name, value);
      else if (op === "delete") headers.delete(name);
      else if (op === "get") seen.push(headers.get(name));
      else if (op === "has") seen.push(headers.has(name));
      else seen.push([...headers]);
    } catch (error) {
      seen.push((error as Error).name);
    }
  }
  seen.push([...headers], headers.getSetCookie(), [...headers.keys()], [...headers.values()]);
  return seen;
}

const name = fc.constantFrom(
  "a",
  "A",
  "b",
  "X-One",
  "x-one",
  "Set-Cookie",
  "set-cookie",
  "",
  "ä",
  "a b",
);
const value = fc.oneof(
  fc.constantFrom(
    "",
    "1",
    " padded\t",
    "a\nb",
    "a\rb",
    "a\0b",
    "\nedge\r\n",
    "é",
    "€",
    "set-cookie",
  ),
  fc.string({ maxLength: 8 }),
);
const step = fc.tuple(
  fc.constantFrom("append", "set", "delete", "get", "has", "entries"),
  name,
  value,
);

test("Headers behave like Node's under any sequence of operations", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const got = await guest.run(`return (${replay.toString()})(argument)`, steps);
      expect(got).toEqual(replay(steps));
    }),
    { numRuns: 300 },
  );
});

test("Headers of a request that were parsed give the packed list they were made from", async () => {
  const packed = "host\na.test\nset-cookie\na=1\nset-cookie\nb=2\nx\n\nx\ncontent-type\n";
  const result = await guest.run<unknown[]>(
    `const source = request({ headers: argument });
     const copy = new Response(null, { headers: source.headers });
     const read = source.headers.get("x");
     return [platform.takeResponse(copy).headers, platform.takeResponse(new Response(null, source)).headers,
       read, source.headers.getSetCookie()];`,
    packed,
  );
  expect(result).toEqual([packed, packed, ", content-type", ["a=1", "b=2"]]);
});

test("Headers of an incoming request and of a fetched response cannot be changed", async () => {
  const result = await guest.run<string[]>(
    `const names = [];
     for (const headers of [request({}).headers, (await fetch("http://a.test/")).headers,
       Response.redirect("http://a.test/").headers, Response.error().headers]) {
       for (const change of [() => headers.set("a", "b"), () => headers.append("a", "b"), () => headers.delete("a")]) {
         try { change(); names.push("changed"); } catch (error) { names.push(error.name); }
       }
     }
     return names;`,
  );
  expect(result).toEqual(Array.from({ length: 12 }, () => "TypeError"));
});

test("Headers copied from immutable ones can be changed", async () => {
  const result = await guest.run<string | null>(
    `const copy = new Request(request({ headers: "a\\n1\\n" }));
     copy.headers.set("a", "2");
     return copy.headers.get("A");`,
  );
  expect(result).toBe("2");
});
