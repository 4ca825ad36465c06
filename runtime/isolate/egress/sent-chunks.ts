// Chunks of uploads, whose memory goes back as soon as their connection has sent them (sdk/exchange.ts release).
// undici says of a chunk that it has taken it, not that it has been sent; so the connection itself is asked.

import type { Socket } from "node:net";
import { release } from "../../../sdk/exchange.ts";

const owned = new WeakSet<Uint8Array>();

/** To be sent once, and nobody else's: `bytes` are gone then. */
export function chunkToSend(bytes: ArrayBuffer): Uint8Array {
  const chunk = new Uint8Array(bytes);
  owned.add(chunk);
  return chunk;
}

/** For a connection before it is used. */
export function giveBackSent(socket: Socket): void {
  const write = socket.write.bind(socket);
  // undici writes chunks of bodies with neither encoding nor callback.
  const writeOwned = (chunk: string | Uint8Array, ...rest: []): boolean => {
    if (typeof chunk === "string" || !owned.delete(chunk)) return write(chunk, ...rest);
    return write(chunk, (error) => {
      // What could not be sent may still be with the system.
      if (error === null || error === undefined) release(chunk);
    });
  };
  socket.write = writeOwned;
}
