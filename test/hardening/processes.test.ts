// What workers and jails have of the supervisor, and of whoever started it: no secret, no open file, no terminal.

import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openRegistry } from "../../control/registry/registry.ts";
import { systemClock } from "../../control/clock.ts";
import { findSetpriv, openConfinement } from "../../runtime/supervisor/rights/confinement.ts";
import { startNode, TOKEN, type TestNode } from "../node.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";
import { see, seeChildren, treeOf, type Seen } from "./process.ts";

const SECRET = "secret_of_the_operator";
const VARIABLE = "secret_of_an_endpoint";
/** What children may have in their environment: the list, what Node adds for its channel, what a shell adds. */
const ALLOWED = new Set(
  (
    "PATH HOME LANG TZ TMPDIR XDG_CACHE_HOME NODE_COMPILE_CACHE NODE_EXTRA_CA_CERTS SSL_CERT_FILE " +
    "SSL_CERT_DIR UWS_HTTP_MAX_HEADERS_SIZE MALLOC_MMAP_THRESHOLD_ NODE_CHANNEL_FD " +
    "NODE_CHANNEL_SERIALIZATION_MODE PWD OLDPWD SHLVL _"
  ).split(" "),
);
const hasSetpriv = findSetpriv() !== null;

describe("a node that was started with secrets", () => {
  let node: TestNode;
  let children: Seen[];

  beforeAll(async () => {
    vi.stubEnv("DATABASE_PASSWORD", SECRET);
    vi.stubEnv("NODE_OPTIONS", "--stack-trace-limit=11");
    node = await startNode({ standby: true, args: ["--token", TOKEN] });
    vi.unstubAllEnvs();
    await node.publish("secretive", 'export default { fetch: () => new Response("x") };', {
      vars: { KEY: VARIABLE },
    });
    expect((await node.get("/secretive")).status).toBe(200);
    await node.standby();
    // Jails are refilled after the publish's own were killed.
    await until("two jails stand by", () => {
      children = seeChildren(node);
      const jails = children.filter(({ kind, files }) => kind === "jail" && files.size > 4);
      return jails.length === 2;
    });
  });
  afterAll(() => node.stop());

  const confined = (): Seen[] => children.filter(({ kind }) => kind !== "other");

  test("has one worker, one that stands by, two jails, and the bundler", () => {
    expect(
      children
        .map(({ kind }) => kind)
        .toSorted()
        .join(" "),
    ).toBe("jail jail other worker worker");
  });

  test("passes on no variable that is not on the list", () => {
    for (const { environment, command } of children) {
      const names = environment.map((entry) => entry.slice(0, entry.indexOf("=")));
      expect({ command, beyond: names.filter((name) => !ALLOWED.has(name)) }).toEqual({
        command,
        beyond: [],
      });
    }
  });

  test("shows no secret in any command line or a child's environment", () => {
    for (const { command, environment } of [...children, { ...see(node.pid), environment: [] }]) {
      const seen = [command, ...environment].join("\n");
      for (const secret of [SECRET, VARIABLE, TOKEN]) expect(seen).not.toContain(secret);
    }
  });

  test("shares no socket and no file of the data folder with workers and jails", () => {
    // All but standard output and error.
    const beyond = (files: Seen["files"]): string[] =>
      [...files].filter(([fd]) => fd > 2).map(([, to]) => to);
    const sockets = beyond(see(node.pid).files).filter((to) => to.startsWith("socket:"));
    expect(sockets.length).toBeGreaterThan(1);
    for (const { kind, files, writes } of confined()) {
      const targets = beyond(files);
      expect(targets.filter((to) => sockets.includes(to))).toEqual([]);
      expect(targets.filter((to) => to.startsWith("/dev/pts") || to === "/dev/tty")).toEqual([]);
      const inData = [...files].filter(([, to]) => to.startsWith(node.data));
      if (kind === "jail") expect(inData).toEqual([]);
      for (const [fd, to] of inData) {
        const isOwn = to.startsWith(join(node.data, "logs")) || to.endsWith("lock.mdb");
        expect({ to, writes: writes(fd) }).toEqual({ to, writes: isOwn });
        expect(to).not.toContain("/run/");
      }
    }
  });

  test("gives each worker and jail a session without a terminal", () => {
    for (const { pid, status } of confined()) expect(status("NSsid")).toBe(`${pid}`);
  });

  test.skipIf(!hasSetpriv)("keeps workers and jails from gaining rights", () => {
    for (const { status } of confined()) expect(status("NoNewPrivs")).toBe("1");
  });

  test("warns of a token on its command line", async () => {
    expect(see(node.pid).command).toContain("edge serve");
    await until("the log", () => node.output.includes("use EDGE_ADMIN_TOKEN"));
  });

  test("warns once of root, when it is root", () => {
    const warnings = node.output.split("\n").filter((line) => line.includes("RUNS_AS_ROOT"));
    expect(warnings).toHaveLength(process.getuid?.() === 0 ? 1 : 0);
  });

  test("leaves nothing in the data folder that others may read", () => {
    const paths = [node.data, ...treeOf(node.data)];
    expect(paths.length).toBeGreaterThan(15);
    const open = paths.filter((path) => (statSync(path).mode & 0o077) !== 0);
    expect(open).toEqual([]);
  });
});

test("a child gets /dev/null for what it would inherit", async () => {
  using folder = temporary();
  // LMDB opens its file so that children inherit it.
  const registry = await openRegistry({ dir: folder.path, clock: systemClock });
  try {
    const list = ["-c", "ls -l /proc/self/fd"];
    const plain = spawnSync("/bin/sh", list, { encoding: "utf8" }).stdout;
    expect(plain).toContain("data.mdb");
    const { spawn } = openConfinement({ account: null, port: 0 });
    const child = spawn("/bin/sh", list, { env: {}, stdio: ["ignore", "pipe", "ignore"] });
    const confined = child.stdout === null ? "" : await text(child.stdout);
    expect(confined).toContain("/dev/null");
    expect(confined).not.toContain(folder.path);
  } finally {
    await registry.close();
  }
});
