import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openControlServer, type ControlServer } from "./control-server.ts";

let folder: string;
let path: string;
let control: ControlServer;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "islet-control-"));
  path = join(folder, "run", "control.sock");
  control = await openControlServer(path, null);
});
afterEach(() => {
  control.close();
  rmSync(folder, { recursive: true, force: true });
});

async function dial(text: string): Promise<Socket> {
  const socket = createConnection(path);
  await once(socket, "connect");
  socket.write(text);
  return socket;
}

test("hands on who came before anybody was there to take them, with what they said, and who comes later", async () => {
  const heard: string[] = [];
  const early = await dial("early");
  const { promise, resolve } = Promise.withResolvers<void>();
  control.connect((socket) =>
    socket.on("data", (data) => {
      heard.push(data.toString());
      if (heard.length === 2) resolve();
    }),
  );
  const late = await dial("late");
  await promise;
  expect(heard.toSorted()).toEqual(["early", "late"]);
  for (const socket of [early, late]) socket.destroy();
});

test("lets go of who waits when it is closed, and takes its socket away", async () => {
  const waiting = await dial("");
  waiting.on("error", () => undefined);
  const gone = once(waiting, "close");
  control.close();
  await gone;
  expect(existsSync(path)).toBe(false);
  control.close();
});

test("takes the place of a supervisor that is gone", async () => {
  const second = await openControlServer(path, null);
  const taken = new Promise((resolve) => second.connect(resolve));
  const socket = await dial("");
  await taken;
  socket.destroy();
  second.close();
});
