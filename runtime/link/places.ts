// Where the main modules of this node's processes lie: the same in a clone (.ts) and in the package (.js).

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";

function place(path: string): string {
  return fileURLToPath(new URL(path + extension, import.meta.url));
}

export const WORKER_MAIN: string = place("../worker");
export const JAIL_MAIN: string = place("../jail");
export const PROBE_MAIN: string = place("../jail/probe");
export const GUEST_ENTRY: string = place("../guest/boot");
/** The package's folder: two levels up in a clone, three in the package, where all this lies in dist/. */
const root = new URL(extension === ".ts" ? "../../" : "../../../", import.meta.url);

/** First handler of a new node, and of the documentation. */
export const DEMO_ENTRY: string = fileURLToPath(new URL("examples/hello/hello.ts", root));

/** Where the gateways of a node's workers share what they count, in the data folder. */
export const SHARED_FOLDER = "run/gateway";

export const RELEASE: string = readRelease(fileURLToPath(new URL("package.json", root)));

/**
 * V8 options of every process that makes or loads a snapshot. Unrolling takes the interrupt check out of some loops
 * that never end (`for (;;) new Array(1000).fill(1)`), and nothing stops those then.
 */
export const V8_FLAGS: readonly string[] = [
  "--no-turboshaft-loop-unrolling",
  // Of the process's own heap. What is young takes this much and as much again while it is collected; V8 would let it
  // grow to four times that under load. For jails too: code that was compiled with other options is refused.
  "--scavenger-max-new-space-capacity-mb=8",
];

/**
 * Options of every process that makes isolates: the engine crashes beside Node's own start-up snapshot. Without it Node
 * compiles its modules at each start, which takes others a tenth of a second for nothing.
 */
export const ISOLATE_FLAGS: readonly string[] = ["--no-node-snapshot", ...V8_FLAGS];

function readRelease(file: string): string {
  const manifest: unknown = JSON.parse(readFileSync(file, "utf8"));
  const version: unknown = Reflect.get(Object(manifest), "version");
  return typeof version === "string" ? version : "unknown";
}
