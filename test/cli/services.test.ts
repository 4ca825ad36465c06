// edge services and edge secret: what they send, what they print, and that secrets are nowhere but in the body.

import { PassThrough } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import { createAsking, type Keyboard } from "../../cli/asking.ts";
import type { Json } from "../../sdk/errors.ts";
import {
  envelope,
  failure,
  makeFolder,
  runEdge,
  startFakeNode,
  type FakeNode,
  type Ran,
} from "./harness.ts";

const SECRET = "s3cret";
const SERVICE = {
  name: "db",
  service_type: "postgres",
  state: "available",
  origin: "api",
  endpoints: ["hello"],
  config: { host: "h", password: "***" },
};
const TESTED = { connected: true, info: "PostgreSQL 15.8", latency_ms: 2.04, error: null };

let node: FakeNode | null = null;
let answers: Record<string, Json> = {};

afterEach(async () => {
  await node?.close();
  node = null;
});

/** Answers by method and path; null to what nobody expects. */
async function edge(argv: readonly string[], stdin?: Keyboard, cwd?: string): Promise<Ran> {
  node ??= await startFakeNode(({ method, path }) => [
    200,
    envelope(answers[`${method} ${path}`] ?? null),
  ]);
  return runEdge([...argv, "--admin", node.url, "--token", "t"], {
    ...(stdin === undefined ? {} : { stdin }),
    ...(cwd === undefined ? {} : { cwd }),
  });
}

function piped(text: string): Keyboard {
  return new PassThrough().end(text);
}

/** A terminal's keyboard, with these keys in its queue; `modes` tells when it was raw. */
function typing(...keys: readonly string[]): Keyboard & { readonly modes: boolean[] } {
  const modes: boolean[] = [];
  const stream = new PassThrough();
  for (const key of keys) stream.write(key);
  return Object.assign(stream, {
    isTTY: true,
    modes,
    setRawMode: (isRaw: boolean) => modes.push(isRaw),
  });
}

function sent(): readonly unknown[] {
  return (node?.seen ?? []).map(({ method, path, body }) => [method, path, body]);
}

describe("edge services", () => {
  test("list shows every service, and those that are always there", async () => {
    answers = { "GET /api/services": [SERVICE] };
    const { stdout } = await edge(["services", "list"]);
    expect(stdout).toBe(
      [
        "NAME               TYPE      STATE      ORIGIN  USED BY",
        "embedded           embedded  available  -       -",
        "embedded-postgres  postgres  available  -       -",
        "db                 postgres  available  api     hello",
        "",
      ].join("\n"),
    );
    const json = await edge(["services", "list", "--json"]);
    expect(JSON.parse(json.stdout)).toEqual({ ok: true, data: [SERVICE] });
  });

  test("show prints fields and configuration", async () => {
    answers = { "GET /api/services/main%20db": SERVICE };
    const { stdout } = await edge(["services", "show", "main db"]);
    expect(stdout).toMatch(/^state +available$/m);
    expect(stdout).toMatch(/^config\.password +\*\*\*$/m);
  });

  test("add makes it, activates it and says what it answers", async () => {
    answers = { "POST /api/services/db/test": TESTED, "GET /api/services/db": SERVICE };
    const flags = ["host=h", "port=5433", "read_only=true", "ssl_ca="].flatMap((text) => [
      "--set",
      text,
    ]);
    const argv = ["services", "add", "postgres", "db", ...flags, "--ask", "password"];
    const { stdout, stderr } = await edge(argv, piped(`${SECRET}\n`));
    expect(stdout).toBe("Added db, PostgreSQL 15.8 in 2.0 ms\n");
    expect(stderr).toBe("");
    const config = { host: "h", port: 5_433, read_only: true, ssl_ca: null, password: SECRET };
    expect(sent()).toEqual([
      ["POST", "/api/services", { name: "db", service_type: "postgres", config }],
      ["POST", "/api/services/db/activate", null],
      ["POST", "/api/services/db/test", null],
      ["GET", "/api/services/db", null],
    ]);
  });

  test("add warns when it does not answer yet, and leaves it alone with --no-activate", async () => {
    const silent = { connected: false, error: "no route" };
    answers = { "POST /api/services/m/test": silent, "GET /api/services/m": SERVICE };
    const warned = await edge(["services", "add", "memcached", "m", "--set", "servers=a:1,b:2"]);
    expect(warned).toMatchObject({ code: 0, stdout: "Added m\n" });
    expect(warned.stderr).toBe("warning: m does not answer yet: no route\n");
    expect(node?.seen[0]?.body).toMatchObject({ config: { servers: ["a:1", "b:2"] } });
    const before = sent().length;
    await edge(["services", "add", "redis", "r", "--no-activate"]);
    expect(sent()).toHaveLength(before + 1);
  });

  test("set sends what changes, from flags, a file and standard input", async () => {
    answers = { "PUT /api/services/db": { name: "main" } };
    using folder = makeFolder({ "fields.json": `{ "host": "h", "pool_size": 1 }` });
    const flags = ["--env-file", "fields.json", "--set", "pool_size=2", "--rename", "main"];
    const asked = ["--ask", "password", "--ask", "ssl_ca"];
    const argv = ["services", "set", "db", ...flags, ...asked];
    const { stdout } = await edge(argv, piped(`${SECRET}\nPEM`), folder.path);
    expect(stdout).toBe("Changed main\n");
    const config = { host: "h", pool_size: 2, password: SECRET, ssl_ca: "PEM" };
    expect(sent()).toEqual([["PUT", "/api/services/db", { config, name: "main" }]]);
    expect(await edge(["services", "set", "db"])).toMatchObject({ code: 2 });
  });

  test("takes no secret as an argument, but a reference to one", async () => {
    const refused = await edge(["services", "set", "db", "--set", `password=${SECRET}`]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(
      "Others can see arguments: use --ask password, --env-file, or",
    );
    expect(refused.stderr).not.toContain(SECRET);
    expect(sent()).toEqual([]);
    await edge(["services", "set", "db", "--set", "secret_key=${secret:S3}"]);
    expect(node?.seen[0]?.body).toEqual({ config: { secret_key: "${secret:S3}" } });
  });

  test("test fails with the service's own code", async () => {
    answers = { "POST /api/services/db/test": TESTED };
    const well = await edge(["services", "test", "db"]);
    expect(well).toMatchObject({ code: 0, stdout: "db answers: PostgreSQL 15.8 in 2.0 ms\n" });
    const silent = { connected: false, code: "SERVICE_REFUSED", error: "wrong password" };
    answers = { "POST /api/services/db/test": silent };
    const refused = await edge(["services", "test", "db", "--json"]);
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.stdout)).toMatchObject({
      ok: false,
      error: { code: "SERVICE_REFUSED", message: "wrong password" },
    });
  });

  test("activate, deactivate and delete name the service", async () => {
    answers = { "POST /api/services/db/activate": { message: "started" } };
    expect((await edge(["services", "activate", "db"])).stdout).toBe("started\n");
    await edge(["services", "deactivate", "db"]);
    expect(await edge(["services", "delete", "db"])).toMatchObject({ code: 2 });
    expect((await edge(["services", "delete", "db", "--yes"])).stdout).toBe("Deleted db\n");
    expect(sent().map((call) => String(call).replace(/,$/, ""))).toEqual([
      "POST,/api/services/db/activate",
      "POST,/api/services/db/deactivate",
      "DELETE,/api/services/db",
    ]);
  });
});

describe("edge secret", () => {
  test.each([
    ["--endpoint", ["--endpoint", "hello"], { endpoint: "hello" }, "of hello"],
    ["--node", ["--node"], {}, "of the node"],
  ])("put reads the value from standard input: %s", async (_flag, flags, owner, text) => {
    const ran = await edge(["secret", "put", "KEY", ...flags], piped(`two\nlines${SECRET}\n`));
    expect(ran).toMatchObject({ code: 0, stderr: "", stdout: `Set KEY ${text}\n` });
    const body = { ...owner, name: "KEY", value: `two\nlines${SECRET}` };
    expect(sent()).toEqual([["PUT", "/api/secrets", body]]);
  });

  test("put is of the project in this folder where nothing else is said", async () => {
    using folder = makeFolder({ "edge.jsonc": `{ "name": "mine" }`, "index.ts": "" });
    const ran = await edge(["secret", "put", "KEY"], piped(SECRET), folder.path);
    expect(ran.stdout).toBe("Set KEY of mine\n");
    using empty = makeFolder({});
    const unsaid = await edge(["secret", "put", "KEY"], piped(SECRET), empty.path);
    expect(unsaid.code).toBe(2);
    expect(unsaid.stderr).toContain("Whose secret is it? Pass --endpoint NAME or --node");
    const both = await edge(["secret", "list", "--node", "--endpoint", "a"]);
    expect(both.code).toBe(2);
  });

  test("put takes what is typed, and shows none of it", async () => {
    const keyboard = typing("s3cx", "\u007f", "\u001b[A", "ret", "\rrest");
    const ran = await edge(["secret", "put", "KEY", "--node"], keyboard);
    expect(ran).toMatchObject({ code: 0, stdout: "Set KEY of the node\n" });
    expect(ran.stderr).toBe("Value of KEY: \n");
    expect(keyboard.modes).toEqual([true, false]);
    expect(node?.seen[0]?.body).toEqual({ name: "KEY", value: SECRET });
  });

  test("is asked for when typing is not shown any more", async () => {
    const events: unknown[] = [];
    const keyboard = Object.assign(typing("a\r"), {
      setRawMode: (isRaw: boolean) => events.push(isRaw),
    });
    const asking = createAsking(keyboard, { write: (text: string) => events.push(text) });
    expect(await asking.secretLine("Value: ")).toBe("a");
    expect(events).toEqual([true, "Value: ", false, "\n"]);
  });

  test("put ends with Ctrl-C and changes nothing", async () => {
    const keyboard = typing("abc", "\u0003");
    const ran = await edge(["secret", "put", "KEY", "--node"], keyboard);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain("Nothing was changed");
    expect(keyboard.modes).toEqual([true, false]);
    expect(sent()).toEqual([]);
  });

  test("refuses a standard input without end", async () => {
    const ran = await edge(["secret", "put", "KEY", "--node"], piped("x".repeat(1_048_577)));
    expect(ran.code).toBe(2);
    expect(sent()).toEqual([]);
  });

  test("list shows names only, bulk sends a file, delete names one", async () => {
    const updated_at = "2026-01-01T00:00:00.000Z";
    answers = {
      "GET /api/secrets?endpoint=hello": [{ name: "KEY", endpoint: "hello", updated_at }],
    };
    const listed = await edge(["secret", "list", "--endpoint", "hello"]);
    expect(listed.stdout).toBe(`NAME  SET\nKEY   ${updated_at}\n`);
    expect((await edge(["secret", "list", "--node"])).stdout).toBe(
      "There are no secrets of the node\n",
    );
    using folder = makeFolder({ "s.json": `{ "A": "${SECRET}", "B": null }` });
    const bulk = await edge(["secret", "bulk", "s.json", "--node"], undefined, folder.path);
    expect(bulk.stdout).toBe("Set 2 secrets of the node\n");
    const removed = await edge(["secret", "delete", "KEY", "--endpoint", "hello"]);
    expect(removed.stdout).toBe("Deleted KEY of hello\n");
    expect(sent().slice(2)).toEqual([
      ["POST", "/api/secrets", { secrets: { A: SECRET, B: null } }],
      ["DELETE", "/api/secrets/KEY?endpoint=hello", null],
    ]);
  });

  test("says what the node says", async () => {
    node = await startFakeNode(() => [404, failure("ENDPOINT_NOT_FOUND", "Endpoint not found")]);
    const ran = await edge(["secret", "put", "KEY", "--endpoint", "none"], piped(SECRET));
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain("ENDPOINT_NOT_FOUND");
  });
});
