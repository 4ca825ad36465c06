// Requests that can be read in two ways, with another request inside: whoever stands before the node may have read it
// the other way. Refused, or at least never seen as two.

import { handler, type Attack, type Verdict } from "../range/attack.ts";
import { verdictOf } from "../range/wire.ts";

/** Tells which paths it has seen, and which header fields that no head had. */
const WITNESS = handler(
  `if (path.endsWith("/seen")) return new Response(seen.join(" ") || "nothing");
  if (path.endsWith("/smuggled")) seen.push("smuggled");
  if (request.headers.has("x-trailer")) seen.push("trailer");
  await request.text().catch(() => {});
  return new Response("ok");`,
  "const seen = [];",
);

const CHUNKED = "Transfer-Encoding: chunked\r\n";

/** Header fields of the outer request, and its body; `INNER` is the other request. */
const AMBIGUOUS: Readonly<Record<string, readonly [fields: string, body: string]>> = {
  "length and chunks": [`Content-Length: 5\r\n${CHUNKED}`, "0\r\n\r\nINNER"],
  "chunks and length": [`${CHUNKED}Content-Length: 5\r\n`, "0\r\n\r\nINNER"],
  "two lengths": ["Content-Length: 0\r\nContent-Length: 60\r\n", "INNER"],
  "list of lengths": ["Content-Length: 0, 60\r\n", "INNER"],
  "length with a sign": ["Content-Length: +0\r\n", "INNER"],
  "length in hexadecimal": ["Content-Length: 0x0\r\n", "INNER"],
  "negative length": ["Content-Length: -1\r\n", "INNER"],
  "empty length": ["Content-Length:\r\n", "INNER"],
  "length behind a folded line": ["X: a\r\n Content-Length: 60\r\n", "INNER"],
  "space before the colon": ["Transfer-Encoding : chunked\r\n", "0\r\n\r\nINNER"],
  "field without a name": [`: chunked\r\n${CHUNKED}`, "0\r\n\r\nINNER"],
  "coding that is not known": ["Transfer-Encoding: xchunked\r\n", "0\r\n\r\nINNER"],
  "chunks and then another coding": ["Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\nINNER"],
  "two codings": [`${CHUNKED}Transfer-Encoding: identity\r\n`, "0\r\n\r\nINNER"],
  "coding with a control character": ["Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\nINNER"],
  "two hosts": ["Host: b.test\r\nContent-Length: 0\r\n", "INNER"],
  "chunk size with a sign": [CHUNKED, "+0\r\n\r\nINNER"],
  "chunk size with an underscore": [CHUNKED, "0_0\r\n\r\nINNER"],
  "chunk size that overflows": [CHUNKED, "10000000000000000\r\n\r\nINNER"],
  "chunk longer than its size": [CHUNKED, "1\r\nxx\r\n0\r\n\r\nINNER"],
  "line feed in a chunk's extension": [CHUNKED, "0;a=\n\r\n\r\nINNER"],
  "trailers that are header fields": [
    CHUNKED,
    "0\r\nContent-Length: 60\r\nX-Trailer: 1\r\n\r\nINNER",
  ],
};

const REFUSED: readonly Verdict[] = ["BAD_REQUEST", "reset"];

export const SMUGGLING: readonly Attack[] = Object.entries(AMBIGUOUS).map(
  ([name, [fields, body]]) => ({
    name: `smuggled: ${name}`,
    group: "protocol",
    source: WITNESS,
    trigger: async (target) => {
      const client = target.raw();
      const inner = target.head("GET", "Connection: close\r\n", "/smuggled");
      client.send(target.head("POST", fields) + body.replace("INNER", inner));
      client.socket.end();
      const verdict = verdictOf(await client.rest());
      client.close();
      await target.get("/seen");
      return verdict;
    },
    // uWebSockets.js ends the head at a field without a name: what stands behind it is refused.
    expect: name === "field without a name" ? ["ok", ...REFUSED] : REFUSED,
    reply: "nothing",
  }),
);
