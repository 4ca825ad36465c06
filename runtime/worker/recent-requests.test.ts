import { expect, test } from "vitest";
import type { RequestAccount } from "../../sdk/node.ts";
import { RECENT_MAX, RecentRequests } from "./recent-requests.ts";

function account(id: string): RequestAccount {
  return {
    id,
    time: "2026-01-02T03:04:05.678Z",
    endpoint: "a",
    version: "v",
    method: "GET",
    host: "a.test",
    path: "/",
    status: 503,
    outcome: "CPU_LIMIT",
    us: 1,
    cpuUs: 1,
    slices: 1,
    limits: { cpuMs: 200, wallMs: 30_000 },
    burned: "",
  };
}

test("the newest requests are found by their ids, those before are forgotten", () => {
  const recent = new RecentRequests();
  expect(recent.find("0")).toBeNull();
  for (let i = 0; i <= RECENT_MAX; i++) recent.add(account(`${i}`));
  expect(recent.find("0")).toBeNull();
  expect(recent.find("1")?.id).toBe("1");
  expect(recent.find(`${RECENT_MAX}`)?.id).toBe(`${RECENT_MAX}`);
});
