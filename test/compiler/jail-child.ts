// A child of openJails that does what its job's code says, in place of runtime/jail.ts.

import type { JailJob, JailReport } from "../../compiler/jail-protocol.ts";

function report(message: JailReport): void {
  process.send?.(message);
}

const inspection = { handler: "object", methods: [], io: [], reads: [] };

process.once("message", (job: JailJob) => {
  // It is idle until it is told to end.
  process.once("SIGUSR2", () => report({ type: "verdict", verdict: { kind: "done" } }));
  const words = job.kind === "platform" ? job.guestCode.split(" ") : [];
  if (words.includes("stage")) {
    report({ type: "stage", dryRun: { inspection, hasCodeCache: false, isQuick: false } });
  }
  if (words.includes("burn")) for (;;);
});
process.once("disconnect", () => process.exit(0));
report({ type: "ready" });
