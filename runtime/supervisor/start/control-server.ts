// The supervisor's end of the control socket. Workers may come before anybody is ready to hear them: they wait.

import { rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { openSocketFolder, shareSocket } from "../rights/data-access.ts";
import type { Account } from "../rights/confinement.ts";

export class ControlServer {
  readonly #server: Server;
  readonly #path: string;
  #waiting: Socket[] | null = [];
  #take: (socket: Socket) => void = (socket) => this.#waiting?.push(socket);

  constructor(server: Server, path: string) {
    this.#server = server;
    this.#path = path;
    server.on("connection", (socket) => this.#take(socket));
  }

  /** Those that wait, and from then on whoever comes. Once. */
  connect(take: (socket: Socket) => void): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    this.#take = take;
    for (const socket of waiting) take(socket);
  }

  /** Nobody comes any more; those who are there stay, but for whom nobody has heard. Idempotent. */
  close(): void {
    if (this.#waiting !== null) this.connect((socket) => socket.destroy());
    if (!this.#server.listening) return;
    this.#server.close();
    rmSync(this.#path, { force: true });
  }
}

/** In the place of whoever was there before: this supervisor holds the folder's lock. */
export async function openControlServer(
  path: string,
  account: Account | null,
): Promise<ControlServer> {
  openSocketFolder(path, account);
  rmSync(path, { force: true });
  const server = createServer();
  const control = new ControlServer(server, path);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  if (account !== null) shareSocket(path, account);
  return control;
}
