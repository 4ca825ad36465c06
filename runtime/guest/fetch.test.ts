import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { type GuestHarness, openGuest } from "../../test/guest/harness.ts";

let guest: GuestHarness;
beforeAll(async () => {
  guest = await openGuest();
});
beforeEach(() => guest.run(`calls.length = 0;`));
afterAll(() => guest.dispose());

test("fetch hands over method, address, headers, redirect mode and body", async () => {
  const result = await guest.run<unknown>(
    `await fetch("http://A.test/x y", { method: "post", headers: { "X-A": "1" }, body: "q", redirect: "manual" });
     const { onAbort, ...call } = calls[0];
     return [call, onAbort];`,
  );
  expect(result).toEqual([
    {
      method: "POST",
      url: "http://a.test/x%20y",
      headers: "x-a\n1\ncontent-type\ntext/plain;charset=UTF-8\n",
      redirect: "manual",
      body: "q",
    },
    null,
  ]);
});

test("fetch streams a body out as it is pulled", async () => {
  const result = await guest.run<unknown[]>(
    `const chunks = ["a", "b"];
     const body = new ReadableStream({ pull(c) {
       const next = chunks.shift();
       if (next === undefined) c.close(); else c.enqueue(new TextEncoder().encode(next));
     } }, { highWaterMark: 0 });
     await fetch("http://a.test/", { method: "PUT", body });
     const left = chunks.length;
     return [left, await drain({ pull: calls[0].body })];`,
  );
  expect(result).toEqual([2, "ab"]);
});

test("aborting before, during and after the reply rejects with the signal's reason", async () => {
  const result = await guest.run<unknown[]>(
    `const out = [];
     const reason = new Error("mine");
     await fetch("http://a.test/", { signal: AbortSignal.abort(reason) }).catch((e) => out.push(e === reason, calls.length));
     const during = new AbortController();
     port.reply = (request) => new Promise((_, reject) => request.onAbort(() => { out.push("cancelled"); reject({ code: "CANCELLED", message: "x" }); }));
     const pending = fetch("http://a.test/", { signal: during.signal }).catch((e) => out.push(e === reason));
     during.abort(reason);
     await pending;
     for (const read of [(r) => r.text(), (r) => r.bytes(), (r) => r.body.getReader().read()]) {
       const after = new AbortController();
       const never = { text: null, readText: () => new Promise(() => {}), pull: () => new Promise(() => {}), cancel() {} };
       port.reply = () => ({ status: 200, statusText: "", url: "", redirected: false, headers: "", body: never });
       const response = await fetch("http://a.test/", { signal: after.signal });
       const reading = read(response).catch((e) => out.push(e === reason));
       after.abort(reason);
       await reading;
     }
     return out;`,
  );
  expect(result).toEqual([true, 0, "cancelled", true, true, true, true]);
});

test("a failed fetch is a TypeError with the host's code", async () => {
  const result = await guest.run<unknown[]>(
    `port.reply = () => Promise.reject({ code: "EGRESS_DENIED", message: "no" });
     return fetch("http://a.test/").catch((e) => [e instanceof TypeError, e.message, e.code]);`,
  );
  expect(result).toEqual([true, "no", "EGRESS_DENIED"]);
});

test("fetch refuses addresses it cannot reach without asking the host", async () => {
  const result = await guest.run<unknown[]>(
    `const names = [];
     for (const url of ["ftp://a.test/", "/relative", "http://u:p@a.test/", "about:blank"]) {
       await fetch(url).catch((e) => names.push(e.name));
     }
     return [names, calls.length];`,
  );
  expect(result).toEqual([["TypeError", "TypeError", "TypeError", "TypeError"], 0]);
});
