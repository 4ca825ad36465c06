import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporary } from "../../test/temporary.ts";
import { errorData } from "../../sdk/errors.ts";
import type { GatewayConfig } from "../../sdk/gateway/config.ts";
import { parseGatewayConfig } from "./config.ts";
import { SERVERS_MAX, WEIGHT_MAX } from "./schema.ts";
import { AddedServers, TTL_SEC_MAX } from "./servers.ts";

const [A, B, C] = ["http://a.example:1", "http://b.example:2", "http://c.example:3"];

function fileWith(servers: readonly string[]): GatewayConfig {
  const text = JSON.stringify({ upstreams: { app: { servers } } });
  return parseGatewayConfig({ path: "edge.yaml", text, variables: {} });
}

/** Time stands still but for `pass`; `delivered` has the urls of each delivery. */
function openServers(folder: string, file: GatewayConfig = fileWith([A])) {
  const delivered: (readonly string[])[] = [];
  const reported: unknown[] = [];
  let [now, failure]: [number, Error | null] = [0, null];
  let timer: { atMs: number; wake: () => void } | null = null;
  const servers = new AddedServers({
    folder,
    clock: {
      now: () => now,
      after: (ms, wake) => {
        timer = { atMs: now + ms, wake };
        return () => (timer = null);
      },
    },
    file: () => file,
    deliver: async () => {
      if (failure !== null) throw failure;
      delivered.push(urls());
    },
    report: (error) => reported.push(error),
  });
  const urls = (): string[] => {
    const [app] = servers.extend(file).upstreams;
    return (app?.servers ?? []).map(({ url, weight }) => (weight === 1 ? url : `${url}*${weight}`));
  };
  return {
    servers,
    delivered,
    reported,
    urls,
    failWith: (error: Error | null) => void (failure = error),
    /** Resolves when what was due is done. */
    pass: async (ms: number) => {
      now += ms;
      if (timer !== null && timer.atMs <= now) timer.wake();
      await servers.remove("app", "http://none.example").catch(() => undefined);
    },
  };
}

test("a server is added beside those of the file, changed, drained and removed", async () => {
  using folder = temporary();
  const { servers, urls, delivered } = openServers(folder.path);
  expect(await servers.put("app", { url: `${B}/` })).toEqual({
    url: B,
    weight: 1,
    origin: "api",
    ttlSec: null,
    endsInSec: null,
  });
  expect(servers.list("app")).toMatchObject([
    { url: A, origin: "file" },
    { url: B, origin: "api" },
  ]);
  await servers.put("app", { url: B });
  await servers.change("app", { url: B, weight: 0 });
  expect(urls()).toEqual([A, `${B}*0`]);
  // Who says that it is there does not say how much it is to be given.
  await servers.put("app", { url: B });
  expect(urls()).toEqual([A, `${B}*0`]);
  await servers.remove("app", B);
  expect(delivered).toEqual([[A, B], [A, `${B}*0`], [A]]);
});

test("a server that has to renew itself is there as long as it does", async () => {
  using folder = temporary();
  const { servers, urls, pass, delivered } = openServers(folder.path);
  await servers.put("app", { url: B, ttlSec: 10 });
  await pass(9_000);
  await servers.put("app", { url: B });
  expect(servers.list("app")[1]).toMatchObject({ ttlSec: 10, endsInSec: 10 });
  await pass(9_999);
  expect(urls()).toEqual([A, B]);
  expect(delivered).toHaveLength(1);
  await pass(1);
  expect(urls()).toEqual([A]);
  expect(delivered).toHaveLength(2);
});

test("servers are there again after a restart, and have their whole time anew", async () => {
  using folder = temporary();
  const before = openServers(folder.path);
  await before.servers.put("app", { url: B, weight: 3 });
  await before.servers.put("app", { url: C, ttlSec: 10 });
  await before.pass(5_000);
  const { servers, urls } = openServers(folder.path);
  expect(urls()).toEqual([A, `${B}*3`, C]);
  expect(servers.list("app")[2]).toMatchObject({ endsInSec: 10 });
});

test("a change that no worker takes has changed nothing, and one by time is tried again", async () => {
  using folder = temporary();
  const { servers, urls, failWith, pass, reported } = openServers(folder.path);
  await servers.put("app", { url: B, ttlSec: 1 });
  failWith(new Error("silent"));
  await expect(servers.put("app", { url: C })).rejects.toThrow("silent");
  expect(urls()).toEqual([A, B]);
  expect(openServers(folder.path).urls()).toEqual([A, B]);
  await pass(1_000);
  expect(urls()).toEqual([A, B]);
  expect(reported).toHaveLength(1);
  failWith(null);
  await pass(1_000);
  expect(urls()).toEqual([A]);
});

test("the file's own are its alone, and where both have a server its holds", async () => {
  using folder = temporary();
  const { servers } = openServers(folder.path);
  for (const input of [{ url: A }, { url: A, weight: 0 }]) {
    const refused = { code: "SERVER_OF_FILE" };
    await expect(servers.put("app", input)).rejects.toMatchObject(refused);
    await expect(servers.change("app", input)).rejects.toMatchObject(refused);
  }
  await expect(servers.remove("app", A)).rejects.toMatchObject({ code: "SERVER_OF_FILE" });
  await servers.put("app", { url: B, weight: 5 });
  expect(openServers(folder.path, fileWith([A, B])).urls()).toEqual([A, B]);
});

test("what is not there and what is not valid is refused", async () => {
  using folder = temporary();
  const { servers } = openServers(folder.path);
  const code = async (done: Promise<unknown>): Promise<unknown> =>
    await done.then(
      () => "taken",
      (error: unknown) => errorData(error).code,
    );
  expect(await code(servers.put("none", { url: B }))).toBe("UPSTREAM_NOT_FOUND");
  expect(await code(servers.change("app", { url: B, weight: 2 }))).toBe("SERVER_NOT_FOUND");
  expect(await code(servers.remove("app", B))).toBe("SERVER_NOT_FOUND");
  const inputs: [unknown, string][] = [
    [undefined, "INPUT_INVALID"],
    [{ url: `${B}/path` }, "INPUT_INVALID"],
    [{ url: "b.example" }, "INPUT_INVALID"],
    [{ url: B, wait: 1 }, "INPUT_INVALID"],
    [{ url: B, weight: WEIGHT_MAX + 1 }, "INPUT_INVALID"],
    [{ url: B, weight: -1 }, "INPUT_INVALID"],
    [{ url: B, ttlSec: 0 }, "INPUT_INVALID"],
    [{ url: B, ttlSec: TTL_SEC_MAX + 1 }, "INPUT_INVALID"],
    [{ url: B, weight: WEIGHT_MAX, ttlSec: TTL_SEC_MAX }, "taken"],
  ];
  for (const [input, expected] of inputs) {
    expect([input, await code(servers.put("app", input))]).toEqual([input, expected]);
  }
});

test("an upstream has so many servers at most, with those of the file", async () => {
  using folder = temporary();
  const many = Array.from({ length: SERVERS_MAX - 1 }, (_, at) => `http://10.0.0.1:${at + 1000}`);
  const { servers } = openServers(folder.path, fileWith(many));
  await servers.put("app", { url: B });
  await servers.put("app", { url: B, weight: 2 });
  await expect(servers.put("app", { url: C })).rejects.toMatchObject({ code: "INPUT_INVALID" });
});

test("a damaged file of added servers is named", () => {
  using folder = temporary();
  for (const text of ["[", "{}", '[{"url":"http://a"}]']) {
    writeFileSync(join(folder.path, "servers.json"), text);
    expect(() => openServers(folder.path)).toThrow("servers.json is damaged");
  }
});
