// More of user.test.ts: nodes that change their user, and ports that only root may have.

import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { openConfinement } from "../../runtime/supervisor/rights/confinement.ts";
import { startNode } from "../node.ts";
import { temporary } from "../temporary.ts";
import { until } from "../waiting.ts";
import { seeChildren } from "./process.ts";
import { HANDLER, isRoot, NOBODY, openFolder, startAs, idsOf } from "./users.ts";

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
