// The attacked endpoint as a client sees it that minds no protocol.

import type { RawClient } from "../../http/raw-client.ts";
import type { Verdict } from "./attack.ts";

/** The status of the next reply as the verdict that belongs to it; the body is not of interest. */
const BY_STATUS: Readonly<Record<number, Verdict>> = {
  200: "ok",
  400: "BAD_REQUEST",
  405: "METHOD_NOT_ALLOWED",
  413: "BODY_TOO_LARGE",
  414: "URI_TOO_LONG",
  431: "HEADERS_TOO_LARGE",
  503: "OVERLOADED",
  504: "HANDLER_TIMEOUT",
};

/** Writes as fast as the node reads, until it stops the client; then what the reply was. */
export async function pour(client: RawClient, bytes: string, chunks: number): Promise<Verdict> {
  const { socket } = client;
  let open = true;
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => {
      open = false;
      resolve();
    });
  });
  for (let i = 0; i < chunks && open; i++) {
    if (socket.write(bytes)) continue;
    await Promise.race([closed, new Promise<void>((resolve) => socket.once("drain", resolve))]);
  }
  socket.end();
  const reply = await client.rest();
  client.close();
  return verdictOf(reply);
}

export function verdictOf(reply: string): Verdict {
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(reply)?.[1] ?? 0);
  return BY_STATUS[status] ?? "reset";
}
