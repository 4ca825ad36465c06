// What the command line does when whoever reads its output goes away: `edge … | head`.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { closeSync, openSync, readFileSync } from "node:fs";
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

test.each([[], ["--json"]])(
  "a result that a full disk does not take is a failure %s",
  async (...more) => {
    const full = openSync("/dev/full", "w");
    const child = spawn(STARTED, ["kv", "--help", ...more], {
      env: environment({}),
      stdio: ["ignore", full, "pipe"],
    });
    closeSync(full);
    const said = child.stderr === null ? "" : text(child.stderr);
    const [stderr, [code]] = await Promise.all([said, once(child, "exit")]);
    expect(stderr).toMatch(/^error: .*\(FILE_UNWRITABLE\)\n\nStandard output .*ENOSPC/);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(code).toBe(1);
  },
);

test("a command in a folder that is gone says so", async () => {
  const folder = temporary();
  const script = 'cd "$1" && rmdir "$1" && exec "$2" list --json';
  const child = spawn("sh", ["-c", script, "sh", folder.path, STARTED], {
    env: environment({}),
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [stdout, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: "USAGE" } });
  expect(code).toBe(2);
});

test.each(["pipe", "full"] as const)(
  "a node serves on, and drains, when nobody takes what it prints: %s",
  async (kind) => {
    using folder = temporary();
    const ready = join(folder.path, "ready.json");
    const flags = ["--port", "0", "--admin-port", "0", "--host", "127.0.0.1", "--workers", "1"];
    const stdout = kind === "full" ? openSync("/dev/full", "w") : kind;
    const child = spawn(
      STARTED,
      ["serve", ...flags, "--no-demo", "--data", join(folder.path, "data"), "--ready-file", ready],
      { env: environment({}), stdio: ["ignore", stdout, "ignore"] },
    );
    try {
      if (typeof stdout === "number") closeSync(stdout);
      child.stdout?.destroy();
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
  },
);
