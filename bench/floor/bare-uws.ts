// The floor of every load scenario: uWebSockets.js alone, through our door, with no routing, no id, no log and
// no isolate. It answers what the app of the scenario answers. This file stays as it is: numbers of different
// commits are compared by their distance to it.
//
// Arguments: app (hello, echo or hono), port.

import { loadUws } from "../../runtime/http/uws.ts";
import type { UwsRequest, UwsResponse } from "../../runtime/http/uws.ts";

const [, , kind = "hello", port = "0"] = process.argv;
let count = 0;

function hello(res: UwsResponse): void {
  count += 1;
  res.writeHeader("content-type", "text/plain;charset=UTF-8");
  res.end(`Hello World ${count}`);
}

function item(res: UwsResponse, req: UwsRequest): void {
  count += 1;
  const [, , , resource = "", id = ""] = req.getUrl().split("/");
  res.writeHeader("content-type", "application/json");
  res.end(JSON.stringify({ resource, id, release: "release-0", count }));
}

function echo(res: UwsResponse): void {
  const chunks: Buffer[] = [];
  let gone = false;
  res.onAborted(() => {
    gone = true;
  });
  res.onData((chunk, last) => {
    chunks.push(Buffer.from(chunk.slice(0)));
    if (!last || gone) return;
    count += 1;
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
    res.cork(() => {
      res.writeHeader("content-type", "application/json");
      res.end(JSON.stringify({ count, body }));
    });
  });
}

const answer = kind === "hello" ? hello : kind === "echo" ? echo : item;
loadUws()
  .App()
  .any("/*", answer)
  .listen("127.0.0.1", Number(port), (socket) => {
    if (socket === false) throw new Error(`port ${port} is in use`);
  });
