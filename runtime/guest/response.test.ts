// Each shortcut of Response is compared with the same Response after its headers or its body were touched.

import { afterAll, beforeAll, expect, test } from "vitest";

import { type GuestHarness, openGuest } from "../../test/guest/harness.ts";

let guest: GuestHarness;
beforeAll(async () => {
  guest = await openGuest();
});
afterAll(() => guest.dispose());

const MADE = [
  `new Response("grüße")`,
  `new Response("")`,
  `new Response()`,
  `new Response("\\uFEFFbom")`,
  `new Response("x", { status: 201, headers: { "X-A": "1", "content-TYPE": "text/html" } })`,
  `new Response("x", { headers: [["set-cookie", "a"], ["set-cookie", "b"], ["v", "content-type"]] })`,
  `new Response("x", { headers: new Headers({ b: "2", a: "1" }) })`,
  `Response.json({ a: [1, "ü"] })`,
  `Response.json([1], { status: 404, statusText: "no", headers: { a: "b" } })`,
  `new Response(new Uint8Array([104, 105]))`,
  `new Response(new Blob(["blob"], { type: "text/x" }))`,
  `new Response(new URLSearchParams({ a: "b c" }))`,
  `new Response(null, { status: 204 })`,
  `Response.redirect("http://a.test/x?y", 308)`,
];

for (const made of MADE) {
  test(`a reply is the same by every way: ${made}`, async () => {
    const [fast, ...slow] = await guest.run<unknown[]>(
      `const make = () => ${made};
       const ways = [
         (response) => response,
         (response) => (response.headers, response),
         (response) => (response.headers.get("a"), response),
         (response) => (response.headers.append("zz", "1"), response.headers.delete("zz"), response),
         (response) => (response.body, response),
         (response) => response.clone(),
         (response) => (response.body, response.clone()),
         (response) => new Response(response.body, response),
       ];
       const taken = [];
       for (const way of ways) {
         let response = make();
         try { response = way(response); } catch (error) { if (error.message !== "These headers are immutable.") throw error; }
         const { status, headers, body } = platform.takeResponse(response);
         taken.push({ status, headers, body: await drain(body) });
       }
       return taken;`,
    );
    for (const other of slow) expect(other).toEqual(fast);
  });
}

test("a fresh text reply crosses as its own string with one constant header", async () => {
  expect(await guest.run(`return platform.takeResponse(new Response("x"));`)).toEqual({
    status: 200,
    headers: "content-type\ntext/plain;charset=UTF-8\n",
    body: "x",
    socket: null,
  });
});

test("every way to read a body gives the same from text, bytes and stream", async () => {
  const result = await guest.run<string[][]>(
    `const text = '{"a":"ü"}';
     const bytes = new TextEncoder().encode(text);
     const sources = [() => text, () => bytes, () => new Blob([text]),
       () => new ReadableStream({ start(c) { c.enqueue(bytes.slice(0, 7)); c.enqueue(bytes.slice(7)); c.close(); } }),
       () => new Response(text).body];
     const decode = (data) => new TextDecoder().decode(data);
     const reads = [(r) => r.text(), async (r) => JSON.stringify(await r.json()), async (r) => decode(await r.arrayBuffer()),
       async (r) => decode(await r.bytes()), async (r) => (await r.blob()).text()];
     const table = [];
     for (const source of sources) {
       const row = [];
       for (const read of reads) {
         const response = new Response(source());
         row.push(await read(response), String(response.bodyUsed), await read(response).catch((e) => e.name));
       }
       table.push(row);
     }
     return table;`,
  );
  for (const row of result) {
    for (let i = 0; i < row.length; i += 3) {
      expect(row.slice(i, i + 3)).toEqual(['{"a":"ü"}', "true", "TypeError"]);
    }
  }
});

test("a byte order mark is dropped from text() however the text came", async () => {
  const result = await guest.run<unknown[]>(
    `const fromHost = () => request({ method: "POST", body: incoming([], "\\uFEFFx") });
     const pulled = () => request({ method: "POST", body: incoming([new Uint8Array([0xef, 0xbb, 0xbf, 0x78])]) });
     const touched = fromHost(); touched.body;
     return [await new Response("\\uFEFFx").text(), await fromHost().text(), await pulled().text(),
       await touched.text(), (await fromHost().bytes()).length];`,
  );
  expect(result).toEqual(["x", "x", "x", "x", 4]);
});

test("statuses outside 200 to 599 and bodies of null-body statuses are refused", async () => {
  const result = await guest.run<string[]>(
    `const cases = [["", 199], [null, 200], [null, 599], [null, 600], [null, 101], [null, 0], ["", 204], ["", 205], ["", 304], [null, 304]];
     return cases.map(([body, status]) => { try { return String(new Response(body, { status }).status); } catch (e) { return e.name; } });`,
  );
  expect(result).toEqual([
    "RangeError",
    "200",
    "599",
    "RangeError",
    "RangeError",
    "RangeError",
    "TypeError",
    "TypeError",
    "TypeError",
    "304",
  ]);
});

test("takeResponse knows its own responses only", async () => {
  const result = await guest.run<unknown[]>(
    `const values = [undefined, null, 1, "x", {}, Object.create(Response.prototype), new Proxy(new Response(""), {}), Response.error()];
     return values.map((value) => platform.takeResponse(value));`,
  );
  expect(result).toEqual(Array.from({ length: 8 }, () => null));
});

test("taking a response whose body was used throws a TypeError", async () => {
  const result = await guest.run<string[]>(
    `const names = [];
     const used = new Response("x"); await used.text();
     const locked = new Response("x"); locked.body.getReader();
     const twice = new Response("x"); platform.takeResponse(twice);
     for (const response of [used, locked, twice]) {
       try { platform.takeResponse(response); names.push("taken"); } catch (error) { names.push(error.name); }
     }
     return names;`,
  );
  expect(result).toEqual(["TypeError", "TypeError", "TypeError"]);
});

test("a fetched body passed on untouched is pulled at its source", async () => {
  const result = await guest.run<unknown>(
    `const source = incoming([new Uint8Array([1]), new Uint8Array([2])]);
     port.reply = () => ({ status: 200, statusText: "", url: "http://a.test/", redirected: false, headers: "", body: source });
     const upstream = await fetch("http://a.test/");
     const taken = platform.takeResponse(new Response(upstream.body, upstream));
     const before = source.pulls;
     const first = await taken.body.pull();
     return [before, source.pulls, [...first], upstream.bodyUsed, upstream.body.locked];`,
  );
  expect(result).toEqual([0, 1, [1], true, true]);
});

test("chunks of an author's stream stay the author's, bytes of the host's go on as they are", async () => {
  const result = await guest.run<unknown>(
    `const chunk = new Uint8Array([1, 2]);
     const stream = new ReadableStream({ pull(c) { c.enqueue(chunk); } }, { highWaterMark: 0 });
     const { body } = platform.takeResponse(new Response(stream));
     (await body.pull()).buffer.transfer();
     const again = [...await body.pull()];
     body.cancel("gone");
     return [again, chunk.length];`,
  );
  expect(result).toEqual([[1, 2], 2]);
});

test("a streamed reply fails when its stream fails or gives something else than bytes", async () => {
  const result = await guest.run<string[]>(
    `const messages = [];
     const failing = [new ReadableStream({ pull() { throw new Error("broken"); } }),
       new ReadableStream({ start(c) { c.enqueue("text"); } })];
     for (const stream of failing) {
       const { body } = platform.takeResponse(new Response(stream));
       await body.pull().catch((error) => messages.push(error.message));
     }
     return messages;`,
  );
  expect(result).toEqual(["broken", "A body's stream may only give Uint8Array chunks."]);
});

test("cancelling a reply's stream tells the author's source why", async () => {
  const result = await guest.run<unknown>(
    `let reason;
     const stream = new ReadableStream({ cancel(given) { reason = given; } });
     platform.takeResponse(new Response(stream)).body.cancel("client gone");
     return [reason.name, reason.message];`,
  );
  expect(result).toEqual(["AbortError", "client gone"]);
});
