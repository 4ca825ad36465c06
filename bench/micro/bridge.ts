// Packing and unpacking of what crosses, per record, and the check of a reply's head.

import { BODY, ENTER, LEAVE, Records, pack } from "../../sdk/bridge.ts";
import { createHeadParser } from "../../runtime/isolate/reply.ts";
import { runTasks } from "./harness.ts";

const BATCH = 16;
const REQUEST =
  `GET\nhttp://example.com/hello\n${BODY.NONE}\n0123456789abcdefghijkl\n` +
  "host\nexample.com\nuser-agent\nwrk\naccept\n*/*\n";
const REPLY = `200\n${BODY.TEXT}\ncontent-type\ntext/plain;charset=UTF-8\n\0Hello World 1`;
const OTHER = `200\n${BODY.TEXT}\ncontent-type\ntext/html\nx-a\nb\n\0Hello World 1`;
const packed = pack(LEAVE.RESPONSE, 1, REPLY);
const batch = packed.repeat(BATCH);
const parse = createHeadParser();
const parseFresh = createHeadParser();
let sum = 0;
let turn = 0;

/** Reading a character flattens the string, as crossing does. */
function packBatch(): void {
  let text = "";
  for (let id = 0; id < BATCH; id++) text += pack(ENTER.REQUEST, id, REQUEST);
  sum += text.charCodeAt(0);
}
function unpackText(text: string): void {
  const records = new Records(text);
  while (records.next()) sum += records.id + records.payload.length;
}

await runTasks("Bridge, per record", [
  { name: "pack, batch of 16", run: packBatch, units: BATCH },
  { name: "unpack, one", run: () => unpackText(packed) },
  { name: "unpack, batch of 16", run: () => unpackText(batch), units: BATCH },
  { name: "reply head, same headers as before", run: () => parse(REPLY) },
  { name: "reply head, other headers", run: () => parseFresh(turn++ % 2 === 0 ? REPLY : OTHER) },
]);
if (sum < 0) throw new Error("not possible");
