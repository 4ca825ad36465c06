// An engine with a known way out of the isolate is refused by every process that would run authors' code.

import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, expect, test } from "vitest";
import { ENGINE_VERSION_MIN, safeEngineVersion } from "../../runtime/isolate/engine.ts";
import { openChannel } from "../../runtime/link/channel.ts";
import type { ToSupervisor, ToWorker, WorkerConfig } from "../../runtime/link/messages.ts";
import { JAIL_MAIN, WORKER_MAIN } from "../../runtime/link/places.ts";
import { temporary } from "../temporary.ts";

/** Makes isolated-vm say that it is a release with a known way out. */
const PRELOAD = `
const Module = require("node:module");
const load = Module._load;
Module._load = function (request, ...rest) {
  if (request === "isolated-vm/package.json") return { version: "7.0.0" };
  return load.call(this, request, ...rest);
};`;
const scratch = temporary();
const preload = join(scratch.path, "preload.cjs");
writeFileSync(preload, PRELOAD);
afterAll(() => scratch[Symbol.dispose]());
const OLD_ENGINE = ["--no-node-snapshot", "--require", preload];
const CLI = join(import.meta.dirname, "../../cli/edge.ts");

test.each(["7.0.0", "6.9.9", "7.0.1-rc.1", "unknown"])("isolated-vm %s is refused", (version) => {
  expect(() => safeEngineVersion(version)).toThrow(
    expect.objectContaining({ code: "ENGINE_UNSAFE", detail: { version, least: "7.0.1" } }),
  );
});

test.each(["7.0.1", "7.0.2", "7.1.0", "8.0.0-beta.1"])("isolated-vm %s is taken", (version) => {
  expect(ENGINE_VERSION_MIN).toBe("7.0.1");
  expect(safeEngineVersion(version)).toBe(version);
});

test("a node does not start on an unsafe engine", async () => {
  using folder = temporary();
  const args = [...OLD_ENGINE, CLI, "serve", "--json", "--port", "0", "--admin-port", "0"];
  const child = spawn(process.execPath, [...args, "--data", folder.path], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [stdout, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: "ENGINE_UNSAFE" } });
  expect(code).toBe(1);
});

test("a worker refuses to be configured on an unsafe engine", async () => {
  using folder = temporary();
  const path = join(folder.path, "control.sock");
  const server = createServer().listen(path);
  const child = spawn(process.execPath, [...OLD_ENGINE, WORKER_MAIN, path, "1"]);
  try {
    const [socket] = (await once(server, "connection")) as [Socket];
    const failed = await new Promise<ToSupervisor>((resolve) => {
      const channel = openChannel<ToSupervisor, ToWorker>(socket, {
        message: (message) => {
          if (message.type === "hello") {
            channel.send({ type: "configure", config: {} as WorkerConfig });
          } else if (message.type !== "beat") resolve(message);
        },
        closed: () => undefined,
      });
    });
    expect(failed).toMatchObject({ type: "failed", error: { code: "ENGINE_UNSAFE" } });
  } finally {
    child.kill("SIGKILL");
    server.close();
  }
});

test("a jail runs no code on an unsafe engine", async () => {
  using folder = temporary();
  const child = fork(JAIL_MAIN, { execArgv: OLD_ENGINE, serialization: "advanced" });
  try {
    expect((await once(child, "message"))[0]).toEqual({ type: "ready" });
    const candidate = join(folder.path, "candidate");
    const job = { kind: "check", guestCode: "", platform: null, format: "script" };
    child.send({ ...job, code: "throw 1", candidate });
    expect((await once(child, "message"))[0]).toMatchObject({
      type: "verdict",
      verdict: { kind: "failed", code: "ENGINE_UNSAFE" },
    });
  } finally {
    child.kill("SIGKILL");
  }
});
