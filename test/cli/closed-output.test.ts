// What the command line does when whoever reads its output goes away: `edge … | head`.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { environment, STARTED } from "../node.ts";
import { temporary } from "../temporary.ts";
import { fileOf } from "../waiting.ts";

test.each([["--help"], ["serve", "--help"], ["nonsense", "--json"]])(
  "edge %s %s ends quietly when nobody reads its output",
  async (...args) => {
    const child = spawn(STARTED, args, { env: environment({}), stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.destroy();
    const [stderr, [code, signal]] = await Promise.all([text(child.stderr), once(child, "exit")]);
    expect({ stderr, signal }).toEqual({ stderr: "", signal: null });
    expect(code).toBe(args[0] === "nonsense" ? 2 : 0);
  },
);

test("a node serves on when nobody reads what it prints", async () => {
  using folder = temporary();
  const ready = join(folder.path, "ready.json");
  const flags = ["--port", "0", "--admin-port", "0", "--host", "127.0.0.1", "--workers", "1"];
  const child = spawn(
    STARTED,
    ["serve", ...flags, "--no-demo", "--data", join(folder.path, "data"), "--ready-file", ready],
    { env: environment({}), stdio: ["ignore", "pipe", "ignore"] },
  );
  try {
    child.stdout.destroy();
    const exited = once(child, "exit");
    await fileOf(ready, exited);
    const port = Number(Reflect.get(Object(JSON.parse(readFileSync(ready, "utf8"))), "port"));
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.destroy();
    child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
  } finally {
    child.kill("SIGKILL");
  }
});
