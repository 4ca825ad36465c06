import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";

import { type GuestHarness, openGuest } from "../../test/guest/harness.ts";

let guest: GuestHarness;
beforeAll(async () => {
  guest = await openGuest();
});
afterAll(() => guest.dispose());

const piece = fc.constantFrom(
  "a",
  "B",
  "/",
  "//",
  ".",
  "..",
  "/.",
  "/..",
  "%2e",
  "%2E",
  "%41",
  "?",
  "&x=1",
  "'",
  '"',
  "<",
  "`",
  "{",
  "|",
  "\\",
  "^",
  ":",
  "@",
  "~",
  ";",
  "é",
  "%",
  "#f",
  "*",
  "..%2f",
);
const authority = fc.constantFrom(
  "a.test",
  "A.Test",
  "a.test:80",
  "a.test:443",
  "a.test:8080",
  "127.0.0.1",
  "127.1",
  "0x7f.1",
  "[::1]:9080",
  "xn--bcher-kva.test",
  "a_b.test",
  "localhost",
);

test("an incoming request's address is what the URL parser makes of it", async () => {
  const url = fc
    .tuple(fc.constantFrom("http", "https"), authority, fc.array(piece, { maxLength: 6 }))
    .map(([scheme, host, parts]) => `${scheme}://${host}/${parts.join("")}`);
  await fc.assert(
    fc.asyncProperty(url, async (address) => {
      const [got, wanted] = await guest.run<string[]>(
        `return [request({ url: argument }).url, new URL(argument).href];`,
        address,
      );
      expect(got).toBe(wanted);
    }),
    { numRuns: 500 },
  );
});

test("json() gives the same from text at hand and from chunks", async () => {
  const result = await guest.run<unknown[]>(
    `const text = '{"a":[1,"ü"]}';
     const bytes = new TextEncoder().encode(text);
     const make = (body) => request({ method: "POST", body });
     const touched = make(incoming([bytes.slice(0, 10), bytes.slice(10)])); touched.body;
     return [await make(incoming([], text)).json(), await make(incoming([bytes])).json(), await touched.json(),
       await make(incoming([], text)).clone().json(), await make(incoming([bytes])).clone().json(),
       await make(incoming([], "{")).json().catch((error) => error.name)];`,
  );
  expect(result).toEqual([...Array.from({ length: 5 }, () => ({ a: [1, "ü"] })), "SyntaxError"]);
});

test("signal aborts when the exchange does, before or after it was looked at", async () => {
  const result = await guest.run<unknown[]>(
    `const make = () => platform.createRequest({ method: "GET", url: "http://a.test/", headers: "", body: null });
     const early = make(); platform.abortRequest(early, "gone");
     const late = make(); const events = []; late.signal.addEventListener("abort", () => events.push("abort"));
     platform.abortRequest(late, "gone");
     return [early.signal.aborted, early.signal.reason.name, late.signal.aborted, late.signal.reason.message, events];`,
  );
  expect(result).toEqual([true, "AbortError", true, "gone", ["abort"]]);
});

test("a request made from another takes its body along", async () => {
  const result = await guest.run<unknown[]>(
    `const first = request({ method: "POST", body: incoming([], "x") });
     const second = new Request(first, { headers: { a: "1" } });
     const third = request({ method: "POST", body: incoming([new Uint8Array([120])]) });
     third.body;
     const fourth = new Request(third);
     return [first.bodyUsed, await second.text(), second.method, third.bodyUsed, await fourth.text()];`,
  );
  expect(result).toEqual([true, "x", "POST", true, "x"]);
});

test("a body can be read in pieces and broken off", async () => {
  const result = await guest.run<unknown[]>(
    `const source = incoming([new Uint8Array([1]), new Uint8Array([2]), new Uint8Array([3])]);
     const read = [];
     for await (const chunk of request({ method: "POST", body: source }).body) {
       read.push(...chunk);
       if (read.length === 2) break;
     }
     return [read, source.pulls, source.cancelled];`,
  );
  expect(result).toEqual([[1, 2], 2, true]);
});

test("a referrer is remembered as an address, with none to be relative to", async () => {
  const result = await guest.run<string[]>(
    `return ["http://b.test/x/../y", "about:client", "", "/there", "http://["].map((referrer) => {
       try { return new Request("http://a.test/", { referrer }).clone().referrer; } catch (e) { return e.name; } });`,
  );
  expect(result).toEqual(["http://b.test/y", "about:client", "", "about:client", "TypeError"]);
});

test("invalid members of init are refused", async () => {
  const result = await guest.run<string[]>(
    `const cases = [{ method: "a b" }, { method: "TRACE" }, { redirect: "never" }, { signal: {} }, { body: "x" },
       { method: "POST", body: "x" }, { method: "patch", body: "x" }, { window: 1 }, { mode: "navigate" }];
     return cases.map((init) => { try { return new Request("http://a.test/", init).method; } catch (e) { return e.name; } });`,
  );
  expect(result).toEqual([
    "TypeError",
    "TypeError",
    "TypeError",
    "TypeError",
    "TypeError",
    "POST",
    "patch",
    "TypeError",
    "TypeError",
  ]);
});

test("cf tells what the connection spoke, and what an author gave instead", async () => {
  const result = await guest.run<unknown[]>(
    `const made = (protocol, url) => request({ protocol, url }).cf;
     const own = { colo: "x" };
     const plain = new Request("http://a.test/");
     const copy = new Request(request({ protocol: "HTTP/2 TLSv1.3" }));
     return [made("", "http://a.test/"), made("", "https://a.test/"), made("HTTP/1.0 ", "http://a.test/"),
       copy.cf, copy.clone().cf, plain.cf === undefined, new Request(plain, { cf: own }).cf === own,
       new Request(copy, { cf: null }).cf === undefined, (() => { try { new Request("http://a.test/", { cf: 1 }); } catch (e) { return e.name; } })()];`,
  );
  expect(result).toEqual([
    { httpProtocol: "HTTP/1.1", tlsVersion: "" },
    { httpProtocol: "HTTP/1.1", tlsVersion: "TLSv1.2" },
    { httpProtocol: "HTTP/1.0", tlsVersion: "" },
    { httpProtocol: "HTTP/2", tlsVersion: "TLSv1.3" },
    { httpProtocol: "HTTP/2", tlsVersion: "TLSv1.3" },
    true,
    true,
    true,
    "TypeError",
  ]);
});
