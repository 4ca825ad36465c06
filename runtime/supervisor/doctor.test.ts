import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { doctor, type DoctorCheck, reportJson, reportText } from "./doctor.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "islet-doctor-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const LOOPBACK = { host: "127.0.0.1", port: 0, adminHost: "127.0.0.1", adminPort: 0 };

function named(checks: readonly DoctorCheck[], name: string): DoctorCheck | undefined {
  return checks.find((check) => check.name === name);
}

test("doctor finds a machine that runs these tests in order", async () => {
  const report = await doctor({ ...LOOPBACK, data: join(folder, "new", "data") });
  const isRoot = process.getuid?.() === 0;
  const others = report.checks.filter(({ name }) => !(isRoot && name === "user"));
  expect(others.filter((check) => check.status !== "ok")).toEqual([]);
  expect(named(report.checks, "user")?.code).toBe(isRoot ? "RUNS_AS_ROOT" : undefined);
  expect(report.ok).toBe(true);
  expect(named(report.checks, "Node")?.found).toContain(process.version);
  expect(named(report.checks, "isolated-vm")?.found).toMatch(/an isolate ran in/);
  expect(named(report.checks, "uWebSockets.js")?.found).toMatch(/loads/);
  expect(named(report.checks, "data folder")?.found).toContain("does not exist yet");
});

test("doctor tells what becomes of connections to a worker that goes, and is content with either", async () => {
  const setting = "/proc/sys/net/ipv4/tcp_migrate_req";
  const isOn = existsSync(setting) && readFileSync(setting, "utf8").trim() === "1";
  const report = await doctor({ ...LOOPBACK, data: folder });
  expect(named(report.checks, "new connections")).toMatchObject({
    status: "ok",
    found: expect.stringMatching(isOn ? /^go to another worker/ : /^may be reset/),
  });
});

test("doctor reports a user that does not exist, and a missing setpriv", async () => {
  vi.stubEnv("PATH", folder);
  const report = await doctor({ ...LOOPBACK, data: folder, user: "nobody-of-this-name" });
  const code = process.getuid?.() === 0 ? "USER_UNKNOWN" : "USER_NOT_ROOT";
  expect(named(report.checks, "user")).toMatchObject({ status: "error", code });
  expect(named(report.checks, "no_new_privs")).toMatchObject({
    status: "warning",
    code: "NO_NEW_PRIVS_MISSING",
  });
});

test("doctor reports a port in use as a warning with its way out", async () => {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  try {
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const report = await doctor({ ...LOOPBACK, port, data: folder });
    expect(named(report.checks, "gateway port")).toMatchObject({
      status: "warning",
      code: "PORT_IN_USE",
    });
    expect(report.ok).toBe(true);
    expect(reportText(report)).toContain("PORT_IN_USE: Stop the process");
  } finally {
    server.close();
  }
});

test("doctor reports an address that is not of this machine", async () => {
  const report = await doctor({ ...LOOPBACK, adminHost: "192.0.2.1", data: folder });
  expect(named(report.checks, "admin port")).toMatchObject({
    status: "error",
    code: "HOST_UNUSABLE",
    found: "192.0.2.1 is not an address of this machine",
  });
});

test("doctor reports a data folder below a file as unwritable", async () => {
  const report = await doctor({ ...LOOPBACK, data: "/proc/version/data" });
  expect(named(report.checks, "data folder")).toMatchObject({
    status: "error",
    code: "DATA_UNWRITABLE",
  });
  expect(report.ok).toBe(false);
  expect(JSON.parse(JSON.stringify(reportJson(report)))).toEqual(report);
});
