// Real servers on the loopback for tests of egress.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server,
  type Socket,
} from "node:net";
import { onTestFinished } from "vitest";
import { createEgress, type EgressOptions } from "../../runtime/isolate/egress/egress.ts";
import { createDispatcher, type DispatcherOptions } from "../../runtime/isolate/egress/undici.ts";
import { Guest } from "./guest.ts";

export interface Peer {
  readonly port: number;
  /** Without a slash at its end. */
  readonly url: string;
}

async function listen(server: Server): Promise<Peer> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}` };
}

export async function startPeer(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Peer> {
  const server = createServer(handler);
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return await listen(server);
}

/** For peers that do not speak HTTP as they should. */
export async function startRawPeer(handler: (socket: Socket) => void): Promise<Peer> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    handler(socket);
  });
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return await listen(server);
}

/** A guest whose egress may reach every address unless `denied` or `lookup` say otherwise. */
export function startGuest(
  options: Partial<EgressOptions> = {},
  dispatching: Partial<DispatcherOptions> = {},
): Guest {
  const dispatcher = createDispatcher({ denied: () => false, ...dispatching });
  const service = createEgress({
    allowPrivate: false,
    subrequestsMax: 50,
    dispatcher,
    ...options,
  });
  onTestFinished(async () => {
    service.close();
    await dispatcher.close();
  });
  return new Guest(service);
}
