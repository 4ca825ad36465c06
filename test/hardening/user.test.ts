// `edge serve --user`: who runs what, and what that user can and cannot reach. Needs root, as the flag does; what
// it says without root is tested by leaving root.

import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { adminToken } from "../../runtime/supervisor/admin-token.ts";
import { openConfinement } from "../../runtime/supervisor/rights/confinement.ts";
import { EDGE, edge, startNode, type TestNode } from "../node.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";
import { seeChildren, treeOf } from "./process.ts";

const isRoot = process.getuid?.() === 0;
const NOBODY = { name: "nobody", ...idsOf("nobody") };
const HANDLER = 'export default { fetch: () => new Response("answered") };';

function idsOf(name: string): { uid: number; gid: number } {
  const id = (what: string): number =>
    Number(spawnSync("id", [what, name], { encoding: "utf8" }).stdout);
  return { uid: id("-u"), gid: id("-g") };
}

/** Which of the commands work as this user, on paths of the data folder. */
function worksAs(user: { uid: number; gid: number }, command: string, path: string): boolean {
  const { uid, gid } = user;
  return spawnSync("/bin/sh", ["-c", command, "sh", path], { uid, gid, cwd: "/" }).status === 0;
}

/** A temporary folder that every user may pass through. */
function openFolder(): Disposable & { readonly path: string } {
  const folder = temporary();
  chmodSync(folder.path, 0o755);
  return folder;
}

function startAs(user: string, data: string, ...args: string[]): Promise<TestNode> {
  return startNode({ data, args: ["--user", user, ...args] });
}

async function privilegedPort(): Promise<number> {
  for (let port = 1_023; port > 600; port--) {
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
    });
    server.close();
    if (isFree) return port;
  }
  return 0;
}

describe.skipIf(!isRoot)("a node with --user", () => {
  let folder: ReturnType<typeof openFolder>;
  let data: string;
  let node: TestNode;
  beforeAll(async () => {
    folder = openFolder();
    data = join(folder.path, "data");
    node = await startAs("nobody", data);
    expect(await node.publish("first", HANDLER)).toMatchObject({ start: "full" });
    expect((await node.get("/first")).text).toBe("answered");
    await node.standby();
  });
  afterAll(async () => {
    await node.stop();
    folder[Symbol.dispose]();
  });

  test("runs workers and jails as that user, in no other group, with no right", () => {
    const children = seeChildren(node).filter(({ kind }) => kind !== "other");
    expect(new Set(children.map(({ kind }) => kind))).toEqual(new Set(["worker", "jail"]));
    for (const { status } of children) {
      expect(status("Uid")).toBe(Array(4).fill(NOBODY.uid).join("\t"));
      expect(status("Gid")).toBe(Array(4).fill(NOBODY.gid).join("\t"));
      expect(status("Groups")).toBe("");
      expect(BigInt(`0x${status("CapPrm")}`)).toBe(0n);
    }
    expect(node.output).not.toContain("RUNS_AS_ROOT");
  });

  test("lets that user read what it serves, and nothing of the operator's", () => {
    // A node without a fixed token makes it in the same way.
    adminToken(data, undefined);
    const may = (command: string, path: string): boolean =>
      worksAs(NOBODY, command, join(data, path));
    for (const path of ["registry/data.mdb", "registry/lock.mdb", "blobs", "snapshots", "cache"]) {
      expect({ path, reads: may('test -r "$1"', path) }).toEqual({ path, reads: true });
    }
    for (const path of ["admin-token", "secret-key", "run/lock", "run", "."]) {
      expect({ path, reads: may('test -r "$1"', path) }).toEqual({ path, reads: false });
    }
    const all = [data, ...treeOf(data)];
    const script = 'for p do if [ -w "$p" ]; then echo "$p"; fi; done';
    const { uid, gid } = NOBODY;
    const { stdout } = spawnSync("/bin/sh", ["-c", script, "sh", ...all], {
      uid,
      gid,
      cwd: "/",
      encoding: "utf8",
    });
    const own =
      /\/logs|\/services|\/snapshots\/incoming|\/cache\/home-\d+|\/lock\.mdb$|\/control\.sock$|\/run\/(?:cordons|gateway)/;
    const writable = stdout.trim().split("\n");
    expect(writable.length).toBeGreaterThan(4);
    expect(writable.filter((path) => !own.test(path))).toEqual([]);
    expect(all.filter((path) => (statSync(path).mode & 0o007) !== 0)).toEqual([]);
    const snapshots = treeOf(join(data, "snapshots")).filter(
      (path) => statSync(path).size > 99_999,
    );
    expect(snapshots.length).toBeGreaterThan(0);
    for (const path of snapshots) expect(statSync(path).uid).toBe(0);
  });

  test("replaces a worker that died, and goes on publishing", async () => {
    const [worker = 0] = node.workers;
    process.kill(worker, "SIGKILL");
    await until("the other worker serves", async () => !(await node.serving()).includes(worker));
    await node.answersAfterMs("/first");
    await node.publish("second", HANDLER);
    expect((await node.get("/second")).text).toBe("answered");
  });

  test("runs cordons as that user, whose sockets are reached by nobody else", async () => {
    await node.publish("apart", HANDLER, { isolation: "dedicated" });
    expect((await node.get("/apart")).text).toBe("answered");
    const sockets = treeOf(join(data, "run", "cordons"));
    const modes = sockets.map((path) => [statSync(path).uid, statSync(path).mode & 0o777]);
    expect(modes).toEqual([[NOBODY.uid, 0o600]]);
    expect(statSync(join(data, "run", "cordons")).mode & 0o777).toBe(0o700);
  });
});

describe.skipIf(!isRoot)("with --user", () => {
  test("a data folder of a node without it, or of another user, is taken over", async () => {
    using folder = openFolder();
    const data = join(folder.path, "data");
    for (const args of [[], ["--user", "nobody"], ["--user", "daemon"]]) {
      await using node = await startNode({ data, args });
      if (args.length === 0) await node.publish("kept", HANDLER);
      expect((await node.get("/kept")).text).toBe("answered");
      await node.publish("more", HANDLER, { message: args.join(" ") });
      const [worker = 0] = node.workers;
      const log = join(data, "logs", "access-1.log");
      const uid = idsOf(args[1] ?? "root").uid;
      expect([statSync(`/proc/${worker}`).uid, statSync(log).uid]).toEqual([uid, uid]);
      await until("the request is logged", () => readFileSync(log, "utf8").includes("/kept"));
    }
  });

  test("workers listen below 1024 without another right", async () => {
    using folder = openFolder();
    const port = `${await privilegedPort()}`;
    const args = ["--port", port];
    await using node = await startAs("nobody", join(folder.path, "data"), ...args);
    expect(`${node.port}`).toBe(port);
    expect((await node.get("/health")).text).toBe("OK");
    const NET_BIND_SERVICE = 1n << 10n;
    // Before it is there a process on its way to it still has the rights that it gives up.
    await node.standby();
    for (const { kind, status } of seeChildren(node)) {
      if (kind === "other") continue;
      const rights = kind === "worker" ? NET_BIND_SERVICE : 0n;
      expect({ kind, rights: BigInt(`0x${status("CapPrm")}`) }).toEqual({ kind, rights });
      expect(status("Uid")).toContain(`${NOBODY.uid}`);
    }
  });

  test("without setpriv a port below 1024 is refused, any other is taken", () => {
    using empty = temporary();
    vi.stubEnv("PATH", empty.path);
    expect(() => openConfinement({ account: NOBODY, port: 443 })).toThrow(
      expect.objectContaining({ code: "PORT_PRIVILEGED" }),
    );
    const confinement = openConfinement({ account: NOBODY, port: 1_024 });
    expect(confinement.noNewPrivs).toBe(false);
    expect(() => confinement.assertReadable(["/bin/sh"])).not.toThrow();
  });
});

describe.skipIf(!isRoot)("serve refuses", () => {
  async function refusal(data: string, user: string): Promise<{ code: string; message: string }> {
    const ports = ["--port", "0", "--admin-port", "0", "--host", "127.0.0.1"];
    const ran = await edge(["serve", "--json", ...ports, "--data", data, "--user", user]);
    expect(ran.code).toBe(1);
    const { error } = JSON.parse(ran.stdout) as { error: { code: string; message: string } };
    return error;
  }

  test.each([
    ["a user that does not exist", "nobody-of-this-name", "USER_UNKNOWN"],
    ["what is no user but a flag", "--help", "USER_UNKNOWN"],
    ["root", "root", "USER_UNUSABLE"],
  ])("%s", async (_what, user, code) => {
    using folder = openFolder();
    expect(await refusal(folder.path, user)).toMatchObject({ code });
  });

  test("a data folder that the user cannot reach", async () => {
    using folder = temporary();
    const data = join(folder.path, "data");
    const error = await refusal(data, "nobody");
    expect(error).toMatchObject({ code: "USER_UNUSABLE" });
    expect(error.message).toContain(`nobody cannot read ${data}/blobs`);
  });

  test("a data folder that is not root's", async () => {
    using folder = openFolder();
    const data = join(folder.path, "data");
    mkdirSync(data);
    chownSync(data, NOBODY.uid, NOBODY.gid);
    const error = await refusal(data, "nobody");
    expect(error).toMatchObject({ code: "USER_UNUSABLE" });
    expect(error.message).toContain("chown -R root:root");
  });

  test("it to anybody but root", () => {
    using folder = openFolder();
    const data = join(folder.path, "data");
    const { stdout, status } = spawnSync(EDGE, ["serve", "--json", "--data", data, "--user", "x"], {
      uid: NOBODY.uid,
      gid: NOBODY.gid,
      cwd: "/",
      encoding: "utf8",
    });
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "USER_NOT_ROOT" } });
  });
});
