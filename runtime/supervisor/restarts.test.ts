import { expect, test } from "vitest";
import { reasonOfEnd, RestartLedger } from "./restarts.ts";

test("an end tells crash, kill and exit apart", () => {
  expect(reasonOfEnd(null, "SIGSEGV")).toBe("crash");
  expect(reasonOfEnd(null, "SIGABRT")).toBe("crash");
  expect(reasonOfEnd(null, "SIGTRAP")).toBe("crash");
  expect(reasonOfEnd(null, "SIGKILL")).toBe("killed");
  expect(reasonOfEnd(1, null)).toBe("exit");
  expect(reasonOfEnd(null, null)).toBe("crash");
});

test("the ledger counts all restarts and remembers the last twenty, newest first", () => {
  const ledger = new RestartLedger();
  for (let worker = 1; worker <= 21; worker++) {
    ledger.add({ worker, pid: worker, reason: "memory", text: "", at: "", culprit: null });
  }
  const { counts, recent } = ledger.view();
  expect(counts).toEqual({ memory: 21 });
  expect(recent.map(({ worker }) => worker)).toEqual(
    Array.from({ length: 20 }, (_, at) => 21 - at),
  );
});
