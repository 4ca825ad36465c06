// What `edge doctor` starts to see whether an isolate runs on this machine: prints how many milliseconds it took. Only
// workers, jails and this may make isolates: it takes an option of Node's that slows down every start.

import { createEngine } from "../isolate/engine.ts";

/** Enough for an empty context, and the least that isolated-vm takes. */
const MEMORY_MB = 8;
const TIMEOUT_MS = 1_000;

const started = performance.now();
const engine = await createEngine({
  memoryMb: MEMORY_MB,
  snapshot: null,
  onCatastrophic: () => undefined,
});
await engine.run({ code: "1 + 1;", filename: "doctor.js", timeoutMs: TIMEOUT_MS });
engine.dispose();
process.stdout.write((performance.now() - started).toFixed(1));
