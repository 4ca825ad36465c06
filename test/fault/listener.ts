// A server for handlers to fetch: remembers which paths were asked for.

import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Heard extends AsyncDisposable {
  readonly port: number;
  readonly paths: readonly string[];
  /** Answers those that asked for /held. */
  release(): void;
}

export async function listener(): Promise<Heard> {
  const paths: string[] = [];
  const held: ServerResponse[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url ?? "");
    if (request.url === "/held") held.push(response);
    else response.end("heard");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    paths,
    release() {
      for (const response of held.splice(0)) response.end("heard");
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
