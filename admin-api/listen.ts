// The admin API on a socket.

import { createServer, type Server } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { listenFault } from "../sdk/serve.ts";
import type { AdminApp } from "./app.ts";

/** People and their tools, never traffic. */
const CONNECTIONS_MAX = 256;
/** A bundle over a slow line. */
const REQUEST_TIMEOUT_MS = 300_000;

export interface AdminServer {
  readonly port: number;
  /** Stops accepting, lets running calls finish until `graceMs` is over, then cuts them. */
  close(graceMs?: number): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly app: AdminApp;
}

const CLOSE_GRACE_MS = 2_000;

/** Rejects with PORT_IN_USE, PORT_PRIVILEGED or HOST_UNUSABLE. */
export async function listenAdmin({ host, port, app }: ListenOptions): Promise<AdminServer> {
  const listener = getRequestListener(app.fetch);
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    void listener(request, response);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(listenFault(cause, { host, port })));
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  return { port: bound, close: (graceMs = CLOSE_GRACE_MS) => closeServer(server, graceMs) };
}

async function closeServer(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(cut);
}
