// A cork for what must not be corked itself: a handshake that is answered later than its request came.
//
// uWS wants everything written within a cork, or complains on stderr. But when a response has become a WebSocket within
// its own cork, uWS takes the socket for the response still, looks in freed memory whether it was to be closed, and now
// and then closes it (uWebSockets #1929, mended in its 20.79, which this package does not have). Within the cork of
// another response it looks at that one instead, and what is written goes out at once.
//
// That other response belongs to a request of this process to itself, which is never answered: over loopback, to a
// port that is closed again as soon as the request is there. It is made for the first WebSocket.

import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Uws, UwsApp, UwsListenSocket, UwsResponse } from "../uws.ts";

const LOOPBACK = "127.0.0.1";
/** Nobody else who finds the port while it is open can guess the path. */
const SECRET_BYTES = 16;

/** null: it cannot be had. */
type Waiting = (cork: UwsResponse | null) => void;

export class ForeignCork {
  readonly #uws: Uws;
  #app: UwsApp | null = null;
  #client: Socket | null = null;
  #port: UwsListenSocket | null = null;
  #response: UwsResponse | null = null;
  #waiting: Waiting[] = [];

  constructor(uws: Uws) {
    this.#uws = uws;
  }

  /** At once, or when it is there. Not to be called from within uWS. */
  use(then: Waiting): void {
    if (this.#response !== null) return then(this.#response);
    this.#waiting.push(then);
    if (this.#app === null) this.#open();
  }

  close(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#response = null;
    this.#closePort();
    this.#client?.destroy();
    this.#client = null;
    this.#app?.close();
    this.#app = null;
    for (const then of waiting) then(null);
  }

  #open(): void {
    const path = `/${randomBytes(SECRET_BYTES).toString("hex")}`;
    const app = this.#uws.App();
    this.#app = app;
    app.get(path, (response) => {
      response.onAborted(() => this.#lost(app));
      // Not within its callback: it is corked there by itself.
      setImmediate(() => this.#opened(app, response));
    });
    app.any("/*", (response) => void response.close());
    app.listen(LOOPBACK, 0, (port) => {
      if (port === false) setImmediate(() => this.#lost(app));
      else this.#request(app, port, path);
    });
  }

  #request(app: UwsApp, port: UwsListenSocket, path: string): void {
    this.#port = port;
    const client = connect(this.#uws.us_socket_local_port(port), LOOPBACK);
    this.#client = client;
    client.on("error", () => undefined);
    client.on("close", () => this.#lost(app));
    client.unref();
    client.write(`GET ${path} HTTP/1.1\r\nhost: ${LOOPBACK}\r\n\r\n`);
  }

  #opened(app: UwsApp, response: UwsResponse): void {
    if (this.#app !== app) return;
    this.#closePort();
    this.#response = response;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const then of waiting) then(response);
  }

  #lost(app: UwsApp): void {
    if (this.#app === app) this.close();
  }

  #closePort(): void {
    if (this.#port !== null) this.#uws.us_listen_socket_close(this.#port);
    this.#port = null;
  }
}
