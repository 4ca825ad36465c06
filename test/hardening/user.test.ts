// `edge serve --user`: who runs what, and what that user can and cannot reach. Needs root, as the flag does; what
// it says without root is tested by leaving root.

import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminToken } from "../../runtime/supervisor/admin-token.ts";
import { EDGE, edge, type TestNode } from "../node.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";
import { seeChildren, treeOf } from "./process.ts";
import { HANDLER, isRoot, NOBODY, openFolder, startAs } from "./users.ts";

/** Which of the commands work as this user, on paths of the data folder. */
function worksAs(user: { uid: number; gid: number }, command: string, path: string): boolean {
  const { uid, gid } = user;
  return spawnSync("/bin/sh", ["-c", command, "sh", path], { uid, gid, cwd: "/" }).status === 0;
}

describe.skipIf(!isRoot)("a node with --user", () => {
  let folder: ReturnType<typeof openFolder>;
  let data: string;
  let node: TestNode;
  beforeAll(async () => {
    folder = openFolder();
    data = join(folder.path, "data");
    node = await startAs("nobody", data);
    expect(await node.publish("first", HANDLER)).toMatchObject({ start: "quick" });
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
