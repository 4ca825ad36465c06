// The admin API's contract, over a socket: envelope, statuses, codes, and the life of an endpoint.

import { describe, expect, test } from "vitest";
import { BODY_BYTES_MAX, DRAFT_BYTES_MAX } from "../../admin-api/body.ts";
import { createAdminApi } from "../../admin-api/app.ts";
import { listenAdmin } from "../../admin-api/listen.ts";
import { UPLOADS_MAX } from "../../admin-api/routes/publish.ts";
import { EdgeError, infoOf, type Code } from "../../sdk/errors.ts";
import { HANDLER, request } from "../control/node.ts";
import {
  NO_CRONS,
  NO_GATEWAY,
  openTestAdmin,
  statusUnderHost,
  TOKEN,
  type Answer,
} from "./server.ts";

function expectError(answer: Answer, code: Code): void {
  expect(answer.body).toMatchObject({ ok: false, success: false, error_detail: { code } });
  expect(answer.status).toBe(infoOf(code).status);
}

const data = (answer: Answer): unknown => {
  expect(answer.body.error ?? null).toBeNull();
  return answer.body.data;
};

describe("admin API", () => {
  test("answers in one envelope with the request's id", async () => {
    await using admin = await openTestAdmin();
    const answer = await admin.call("GET", "/api/endpoints");
    const id = answer.headers.get("x-request-id");
    expect(answer.body).toEqual({
      ok: true,
      success: true,
      data: [],
      error: null,
      request_id: id,
    });
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("health needs no token and is healthy once all workers accept", async () => {
    await using admin = await openTestAdmin();
    admin.ready = 1;
    const starting = await admin.call("GET", "/api/health", undefined, {});
    expect(starting.status).toBe(503);
    expect(starting.body).toMatchObject({ ok: false, data: { status: "starting", workers: 1 } });
    admin.ready = 2;
    const healthy = await admin.call("GET", "/api/health", undefined, {});
    expect(healthy.status).toBe(200);
    expect(data(healthy)).toEqual({ status: "healthy", version: "1.2.3", workers: 2 });
    admin.ready = 1;
    const degraded = await admin.call("GET", "/api/health", undefined, {});
    expect(degraded.status).toBe(200);
    expect(data(degraded)).toMatchObject({ status: "degraded" });
  });

  test.each([
    ["GET", "/api/endpoints"],
    ["GET", "/api/stats"],
    ["GET", "/metrics"],
    ["POST", "/api/publish"],
    ["GET", "/api/none"],
  ])("%s %s without or with a wrong token is UNAUTHORIZED", async (method, path) => {
    await using admin = await openTestAdmin();
    for (const authorization of ["", "Bearer wrong", `Basic ${TOKEN}`, `Bearer ${TOKEN}x`]) {
      const answer = await admin.call(method, path, undefined, { authorization });
      expectError(answer, "UNAUTHORIZED");
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    }
  });

  test("bound to loopback refuses other host names with HOST_REFUSED", async () => {
    await using admin = await openTestAdmin();
    expect(await statusUnderHost(admin.port, "localhost:9081")).toBe(200);
    expect(await statusUnderHost(admin.port, "127.0.0.1")).toBe(200);
    expect(await statusUnderHost(admin.port, "[::1]:9081")).toBe(200);
    expect(await statusUnderHost(admin.port, "evil.example")).toBe(infoOf("HOST_REFUSED").status);
    expect(await statusUnderHost(admin.port, "localhost.evil.example")).toBe(421);
  });

  test("an unknown address is NOT_FOUND", async () => {
    await using admin = await openTestAdmin();
    expectError(await admin.call("GET", "/api/none"), "NOT_FOUND");
    expectError(await admin.call("PATCH", "/api/endpoints/x"), "NOT_FOUND");
  });

  test("a body that is no JSON, has unknown fields or wrong ones is refused by name", async () => {
    await using admin = await openTestAdmin();
    expectError(await admin.call("POST", "/api/endpoints", "{"), "BAD_REQUEST");
    const unknown = await admin.call("POST", "/api/endpoints", { name: "a", pth: "/" });
    expectError(unknown, "INPUT_INVALID");
    expect(unknown.body.error).toContain("pth: unknown field");
    const wrong = await admin.call("POST", "/api/endpoints", { name: "a", enabled: "yes" });
    expectError(wrong, "INPUT_INVALID");
    expect(wrong.body.error_detail?.detail).toMatchObject({ fields: [{ field: "enabled" }] });
    expectError(await admin.call("POST", "/api/endpoints"), "INPUT_INVALID");
  });

  test.each(["", "A", "1a", "-a", "a-", "a b", "ä", "a/b", "x".repeat(64), "../a"])(
    "the name %j is NAME_INVALID",
    async (name) => {
      await using admin = await openTestAdmin();
      expectError(await admin.call("POST", "/api/publish", request(name)), "NAME_INVALID");
      expectError(await admin.call("POST", "/api/endpoints", { name }), "NAME_INVALID");
    },
  );

  test.each(["a", "x".repeat(62), "x".repeat(63), "a-1"])("the name %j is taken", async (name) => {
    await using admin = await openTestAdmin();
    expect((await admin.call("POST", "/api/endpoints", { name })).status).toBe(201);
  });

  test("bodies larger than the limit are BODY_TOO_LARGE, drafts INPUT_INVALID", async () => {
    await using admin = await openTestAdmin();
    await admin.call("POST", "/api/endpoints", { name: "a" });
    const put = (bytes: number): Promise<Answer> =>
      admin.call("PUT", "/api/endpoints/a/code", { code: "x".repeat(bytes) });
    expect((await put(DRAFT_BYTES_MAX - 1)).status).toBe(200);
    expect((await put(DRAFT_BYTES_MAX)).status).toBe(200);
    expectError(await put(DRAFT_BYTES_MAX + 1), "INPUT_INVALID");
    const padded = (bytes: number): string => `{"code":"x"}`.padEnd(bytes, " ");
    const path = "/api/endpoints/a/code";
    expect((await admin.call("PUT", path, padded(BODY_BYTES_MAX))).status).toBe(200);
    expectError(await admin.call("PUT", path, padded(BODY_BYTES_MAX + 1)), "BODY_TOO_LARGE");
  });

  test("a failure that is no EdgeError is INTERNAL to the caller and reported here", async () => {
    await using admin = await openTestAdmin();
    admin.node.fleet.stats = () => Promise.reject(new TypeError("a secret path"));
    const answer = await admin.call("GET", "/api/stats");
    expectError(answer, "INTERNAL");
    expect(answer.text).not.toContain("secret");
    expect(admin.reported).toHaveLength(1);
  });

  test("stats count endpoints, isolates and requests", async () => {
    await using admin = await openTestAdmin();
    await admin.call("POST", "/api/publish", request("a"));
    await admin.call("POST", "/api/endpoints", { name: "b" });
    const isolate = {
      endpoint: "a",
      version: "v",
      inFlight: 2,
      heapBytes: 1,
      isolates: 1,
      ageMs: 1,
      recycles: 0,
      evictions: 0,
    };
    const worker = (at: number): (typeof admin.node.fleet.workers)[number] => ({
      worker: at,
      pid: at,
      cordon: null,
      revision: 1,
      requestsTotal: 10,
      inFlight: 5,
      services: [],
      upstreams: [],
      rssBytes: 1,
      isolates: [
        { ...isolate, generation: 2, state: "loaded" },
        { ...isolate, generation: 1, state: "draining" },
      ],
    });
    admin.node.fleet.workers = [worker(1), worker(2)];
    admin.node.clock.advance(2_500);
    expect(data(await admin.call("GET", "/api/stats"))).toMatchObject({
      endpoints_total: 2,
      endpoints_running: 1,
      requests_handled: 20,
      uptime_seconds: 2,
      loaded_count: 1,
      draining_count: 1,
      active_requests: 10,
      draining_requests: 4,
    });
  });

  test("a quarantined version is told by state, reasons and time, and released by start", async () => {
    await using admin = await openTestAdmin();
    const { control } = admin.node;
    const { version } = await control.publish(request("a"));
    await control.strike("a", { version, reason: "stalled" });
    const once = data(await admin.call("GET", "/api/endpoints/a"));
    expect(once).toMatchObject({ state: "loaded", quarantine: null, strikes: [{ version }] });
    await control.strike("a", { version, reason: "crash" });
    await control.strike("a", { version, reason: "wedged" });
    const since = "2026-01-01T00:00:00.000Z";
    const strikes = ["stalled", "crash", "wedged"].map((reason) => ({
      version,
      reason,
      at: since,
    }));
    expect(data(await admin.call("GET", "/api/endpoints/a"))).toMatchObject({
      state: "quarantined",
      status: "error",
      error: `Quarantined since ${since}: it brought down 3 workers (stalled at ${since}, crash at ${since}, wedged at ${since}).`,
      quarantine: { version, since, strikes },
    });
    expect(data(await admin.call("GET", "/api/endpoints?status=quarantined"))).toHaveLength(1);
    expect(data(await admin.call("GET", "/api/stats"))).toMatchObject({ endpoints_quarantined: 1 });
    const versions = data(await admin.call("GET", "/api/endpoints/a/versions"));
    expect(versions).toMatchObject([{ id: version, live: true, quarantined: true }]);
    expect((await admin.call("POST", "/api/endpoints/a/start")).status).toBe(200);
    const released = data(await admin.call("GET", "/api/endpoints/a"));
    expect(released).toMatchObject({ state: "loaded", quarantine: null, strikes: [], error: null });
  });

  test("an endpoint is found by no name that is longer than any", async () => {
    await using admin = await openTestAdmin();
    for (const name of ["a".repeat(64), "a".repeat(5_000), "%F0%9F%98%80".repeat(400)]) {
      expectError(await admin.call("GET", `/api/endpoints/${name}`), "ENDPOINT_NOT_FOUND");
    }
  });

  test("a request that is asked for has a method and an address or a path", async () => {
    await using admin = await openTestAdmin();
    const ask = (method: string, url: string): Promise<Answer> =>
      admin.call("GET", `/api/routes/test?${new URLSearchParams({ method, url }).toString()}`);
    for (const url of ["/", "/a?b#c", "http://a.example", "HTTPS://a.example/b"]) {
      expect(await ask("get", url)).toMatchObject({ status: 200 });
    }
    for (const url of [
      "",
      "nota",
      "a.example/b",
      "//a.example",
      "ftp://a/",
      "http:a",
      "http://[",
    ]) {
      expectError(await ask("GET", url), "INPUT_INVALID");
    }
    for (const method of ["", "G T", "/a"]) expectError(await ask(method, "/"), "INPUT_INVALID");
  });

  test("metrics are the workers' text", async () => {
    await using admin = await openTestAdmin();
    const answer = await admin.call("GET", "/metrics");
    expect(answer.headers.get("content-type")).toContain("version=0.0.4");
    expect(answer.text).toContain("islet_requests_total");
  });

  test("a taken port is PORT_IN_USE", async () => {
    await using admin = await openTestAdmin();
    const { node, port } = admin;
    const app = createAdminApi({
      ...node,
      callService: () => Promise.reject(new Error("not here")),
      gateway: NO_GATEWAY,
      crons: NO_CRONS,
      token: TOKEN,
      version: "",
      workersReady: () => 0,
      gatewayUrl: () => "",
      host: "127.0.0.1",
      report: () => undefined,
    });
    const listening = listenAdmin({ host: "127.0.0.1", port, app });
    await expect(listening).rejects.toMatchObject({ code: "PORT_IN_USE" });
  });
});

describe("endpoints", () => {
  test("live as the quick start says: create, code, compile, start, edit, stop, delete", async () => {
    await using admin = await openTestAdmin();
    const created = await admin.call("POST", "/api/endpoints", {
      name: "hello",
      domain: "API.example.com",
      path: "/hi/{name}",
      method: "get",
      description: "greets",
    });
    expect(created.status).toBe(201);
    expect(data(created)).toMatchObject({
      name: "hello",
      domain: "api.example.com",
      path: "/hi/{name}",
      method: "GET",
      description: "greets",
      enabled: true,
      compiled: false,
      status: "created",
    });
    const { id } = data(created) as { id: string };
    const at = `/api/endpoints/${id}`;
    expectError(await admin.call("POST", `${at}/start`), "NOT_COMPILED");
    expectError(await admin.call("POST", `${at}/compile`), "NO_CODE");
    expect(data(await admin.call("PUT", `${at}/code`, { code: HANDLER }))).toBeNull();
    expect(data(await admin.call("GET", `${at}/code`))).toBe(HANDLER);
    expect(data(await admin.call("POST", `${at}/compile`))).toMatchObject({ status: "compiled" });
    expect(data(await admin.call("GET", at))).toMatchObject({ status: "compiled" });
    expect(data(await admin.call("POST", `${at}/start`))).toMatchObject({
      status: "running",
      generation: 1,
    });
    expect(data(await admin.call("GET", "/api/endpoints/hello"))).toMatchObject({
      id,
      status: "running",
      state: "loaded",
      urls: ["http://api.example.com:9080/hi/{name}"],
    });
    expect(data(await admin.call("POST", `${at}/stop`))).toEqual({ status: "stopped" });
    expect(data(await admin.call("GET", at))).toMatchObject({ status: "stopped", enabled: true });
    expect(data(await admin.call("POST", `${at}/start`))).toMatchObject({ generation: 1 });
    const edited = `${HANDLER} // edited`.replace("hi", "ho");
    await admin.call("PUT", `${at}/code`, { code: edited });
    await admin.call("POST", `${at}/compile`);
    expect(data(await admin.call("POST", `${at}/start`))).toMatchObject({ generation: 2 });
    expect(data(await admin.call("DELETE", at))).toBeNull();
    const gone = await admin.call("GET", at);
    expectError(gone, "ENDPOINT_NOT_FOUND");
    expect(gone.body.error).toBe("Endpoint not found");
  });

  test("that fail to compile keep serving, with the error shown and the place named", async () => {
    await using admin = await openTestAdmin();
    await admin.call("POST", "/api/publish", request("hello"));
    await admin.call("PUT", "/api/endpoints/hello/code", { code: "export default {" });
    const failed = await admin.call("POST", "/api/endpoints/hello/compile");
    expectError(failed, "SOURCE_INVALID");
    expect(failed.body.error).toMatch(/^Compilation failed: /);
    expect(failed.body.error_detail?.detail).toMatchObject({
      diagnostics: [{ file: "hello.ts", line: 1, severity: "error" }],
    });
    const shown = data(await admin.call("GET", "/api/endpoints/hello"));
    expect(shown).toMatchObject({ status: "running", error: failed.body.error, generation: 1 });
    await admin.call("POST", "/api/endpoints", { name: "new", code: "}" });
    await admin.call("POST", "/api/endpoints/new/compile");
    expect(data(await admin.call("GET", "/api/endpoints/new"))).toMatchObject({ status: "error" });
    await admin.call("PUT", "/api/endpoints/new/code", { code: HANDLER });
    await admin.call("POST", "/api/endpoints/new/compile");
    const mended = data(await admin.call("GET", "/api/endpoints/new"));
    expect(mended).toMatchObject({ status: "compiled", error: null });
  });

  test("without code cannot be compiled: the seeds' words", async () => {
    await using admin = await openTestAdmin();
    await admin.call("POST", "/api/endpoints", { name: "a" });
    const answer = await admin.call("POST", "/api/endpoints/a/compile");
    expect(answer.body.error).toBe("No code to compile");
    const start = await admin.call("POST", "/api/endpoints/a/start");
    expect(start.body.error).toBe("Endpoint not compiled");
  });

  test("of one name or one route exist once", async () => {
    await using admin = await openTestAdmin();
    const body = { name: "a", path: "/x" };
    expect((await admin.call("POST", "/api/endpoints", body)).status).toBe(201);
    expectError(await admin.call("POST", "/api/endpoints", body), "ENDPOINT_EXISTS");
    const twin = await admin.call("POST", "/api/endpoints", { name: "b", path: "/x" });
    expectError(twin, "ROUTE_CONFLICT");
    const odd = await admin.call("POST", "/api/endpoints", { name: "b", path: "x y" });
    expectError(odd, "ROUTE_INVALID");
  });

  test("are updated field by field, and null clears", async () => {
    await using admin = await openTestAdmin();
    await admin.call("POST", "/api/endpoints", { name: "a", path: "/x", description: "d" });
    const update = async (body: object): Promise<unknown> =>
      data(await admin.call("PUT", "/api/endpoints/a", body));
    expect(await update({ enabled: false })).toMatchObject({ description: "d", enabled: false });
    expect(await update({ description: null })).toMatchObject({ description: "" });
    expect(await update({ method: "POST" })).toMatchObject({ method: "POST", path: "/x" });
    expect(await update({ domain: "a.test" })).toMatchObject({ domain: "a.test", path: "/x" });
    expect(await update({ domain: null })).toMatchObject({ domain: "*" });
    expect(await update({ name: "b" })).toMatchObject({ name: "b", path: "/x" });
    expectError(await admin.call("PUT", "/api/endpoints/a", {}), "ENDPOINT_NOT_FOUND");
  });

  test("that are deployed get new routes at once, and keep their name", async () => {
    await using admin = await openTestAdmin();
    await admin.call("POST", "/api/publish", request("a"));
    const moved = await admin.call("PUT", "/api/endpoints/a", { path: "/moved" });
    expect(data(moved)).toMatchObject({ path: "/moved", generation: 2, status: "running" });
    expectError(await admin.call("PUT", "/api/endpoints/a", { name: "b" }), "INPUT_INVALID");
  });

  test("are listed with filters, pages and a total", async () => {
    await using admin = await openTestAdmin();
    for (const name of ["a", "b", "c"]) {
      await admin.call("POST", "/api/endpoints", { name, enabled: name !== "b" });
    }
    await admin.call("POST", "/api/publish", request("c"));
    const names = async (query: string): Promise<string[]> => {
      const answer = await admin.call("GET", `/api/endpoints?${query}`);
      return (data(answer) as { name: string }[]).map(({ name }) => name);
    };
    expect(await names("enabled=false")).toEqual(["b"]);
    expect(await names("status=running")).toEqual(["c"]);
    expect(await names("status=loaded")).toEqual(["c"]);
    expect(await names("domain=none.test")).toEqual([]);
    expect(await names("page=2&limit=2")).toEqual(["c"]);
    const first = await admin.call("GET", "/api/endpoints?limit=1");
    expect(first.headers.get("x-total-count")).toBe("3");
    expectError(await admin.call("GET", "/api/endpoints?limit=0"), "INPUT_INVALID");
    expectError(await admin.call("GET", "/api/endpoints?color=red"), "INPUT_INVALID");
  });

  test("show versions and deployments, and roll back", async () => {
    await using admin = await openTestAdmin();
    await admin.call("POST", "/api/publish", request("a", { vars: { KEY: "hidden" } }));
    await admin.call("POST", "/api/publish", request("a", { code: `${HANDLER} // 2` }));
    const versions = await admin.call("GET", "/api/endpoints/a/versions");
    expect(data(versions)).toMatchObject([{ live: true }, { live: false }]);
    expect(versions.text).not.toContain("hidden");
    const back = await admin.call("POST", "/api/endpoints/a/rollback", { message: "oops" });
    expect(data(back)).toMatchObject({ endpoint: "a", generation: 3 });
    expect(data(await admin.call("GET", "/api/endpoints/a/deployments"))).toMatchObject([
      { generation: 3, live: true, message: "oops" },
      { generation: 2, live: false },
      { generation: 1 },
    ]);
    const unknown = { version: "0000000000000000" };
    const missing = await admin.call("POST", "/api/endpoints/a/rollback", unknown);
    expectError(missing, "VERSION_NOT_FOUND");
  });
});

describe("publish", () => {
  test("answers with the result, or with a line for each stage and the envelope last", async () => {
    await using admin = await openTestAdmin();
    const plain = await admin.call("POST", "/api/publish", request("a"));
    expect(data(plain)).toMatchObject({ endpoint: "a", generation: 1 });
    const headers = { authorization: `Bearer ${TOKEN}`, accept: "application/x-ndjson" };
    const lines = await admin.call("POST", "/api/publish", request("a"), headers);
    expect(lines.headers.get("content-type")).toBe("application/x-ndjson");
    const parsed = lines.text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(parsed.slice(0, -1)).toEqual([
      { stage: "check" },
      { stage: "snapshot" },
      { stage: "load" },
      { stage: "live" },
    ]);
    expect(parsed.at(-1)).toMatchObject({ ok: true, data: { generation: 2 } });
  });

  test("tells a failure after the first stage in the last line", async () => {
    await using admin = await openTestAdmin();
    admin.node.checker.fail = new EdgeError("TOP_LEVEL_IO", "fetch at top level");
    const headers = { authorization: `Bearer ${TOKEN}`, accept: "application/x-ndjson" };
    const lines = await admin.call("POST", "/api/publish", request("a"), headers);
    const last = lines.text.trim().split("\n").at(-1) ?? "";
    expect(JSON.parse(last)).toMatchObject({
      ok: false,
      error: "fetch at top level",
      error_detail: { code: "TOP_LEVEL_IO" },
    });
    const invalid = await admin.call("POST", "/api/publish", request("A"), headers);
    expectError(invalid, "NAME_INVALID");
  });

  test.each([
    [{ memoryMb: -1 }, "limits.memoryMb: a whole number of MB from 8 to 512, not -1"],
    [{ memoryMb: 513 }, "limits.memoryMb: a whole number of MB from 8 to 512, not 513"],
    [{ cpuMs: "5" }, 'limits.cpuMs: a whole number of ms from 1 to 30000, not "5"'],
    [{ queue: 1.5 }, "limits.queue: a whole number from 0 to 10000, not 1.5"],
    [{ wallMs: null }, "limits.wallMs: a whole number of ms from 1 to 3600000, not null"],
    [{ cpu: 5 }, "limits.cpu: unknown field"],
  ])("with limits %j is refused with name, value and range", async (limits, message) => {
    await using admin = await openTestAdmin();
    const answer = await admin.call("POST", "/api/publish", { ...request("a"), limits });
    expectError(answer, "INPUT_INVALID");
    expect(answer.text).toContain(JSON.stringify(message).slice(1, -1));
  });

  test.each([
    ["INPUT_INVALID", { ...request("a"), colour: "red" }],
    ["INPUT_INVALID", { ...request("a"), limits: { memoryMb: 513 } }],
    ["INPUT_INVALID", { ...request("a"), vars: { "not a name": 1 } }],
    ["UPLOAD_CORRUPT", { ...request("a"), code: "cut" }],
    ["ROUTE_INVALID", request("a", { routes: [{ host: "*", path: "x{", methods: [] }] })],
    ["ROUTE_INVALID", { ...request("a"), routes: [{ host: "*" }] }],
  ] as const)("is refused with %s and nothing is stored", async (code, body) => {
    await using admin = await openTestAdmin();
    expectError(await admin.call("POST", "/api/publish", body), code);
    expect(admin.node.registry.revision()).toBe(0);
  });

  test("takes so many uploads at once and refuses the next with OVERLOADED", async () => {
    await using admin = await openTestAdmin();
    const gate = Promise.withResolvers<void>();
    admin.node.checker.gate = gate.promise;
    const headers = { authorization: `Bearer ${TOKEN}`, accept: "application/x-ndjson" };
    // A progress answer begins when its upload was taken in.
    const taken = await Promise.all(
      Array.from({ length: UPLOADS_MAX }, (_, at) => {
        const body = JSON.stringify(request(`e${at}`));
        return fetch(`${admin.url}/api/publish`, { method: "POST", headers, body });
      }),
    );
    expectError(await admin.call("POST", "/api/publish", request("late")), "OVERLOADED");
    gate.resolve();
    const ends = await Promise.all(
      taken.map(async (each) => (await each.text()).includes('"ok":true')),
    );
    expect(ends.every(Boolean)).toBe(true);
    expect((await admin.call("POST", "/api/publish", request("late"))).status).toBe(200);
  });
});
