// What a connection of the node listener speaks, as an exchange tells it.

import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Wire } from "./wire.ts";

/** By connection: each of its requests asks. */
const known = new WeakMap<Socket, string>();

export function protocolOf({ version, socket }: Wire): string {
  return `${version} ${socket instanceof TLSSocket ? tlsOf(socket) : ""}`;
}

function tlsOf(socket: TLSSocket): string {
  let version = known.get(socket);
  if (version === undefined) {
    version = socket.getProtocol() ?? "";
    known.set(socket, version);
  }
  return version;
}
