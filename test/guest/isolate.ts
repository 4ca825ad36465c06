// Runs any module of the guest in a real isolate, from a snapshot or without: `entry` is TypeScript that may
// import from runtime/guest and puts what the test calls into globalThis. No code is made from strings inside,
// so it works under lockdown.

import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import ivm from "isolated-vm";

const GUEST_FOLDER = fileURLToPath(new URL("../../runtime/guest", import.meta.url));

export async function bundleGuest(entry: string): Promise<string> {
  const built = await build({
    stdin: { contents: entry, resolveDir: GUEST_FOLDER, loader: "ts" },
    bundle: true,
    format: "iife",
    platform: "neutral",
    mainFields: ["module", "main"],
    charset: "ascii",
    target: "es2024",
    write: false,
    logLevel: "error",
  });
  return `(() => { "use strict"; ${built.outputFiles[0]?.text ?? ""} })();`;
}

export interface TestIsolate {
  /** Runs a script; a promise it ends in is awaited, the result crosses as a copy. */
  evaluate(code: string, timeoutMs?: number): Promise<unknown>;
  /** Puts a host function into the guest: what must never happen outside tests. */
  plant(name: string, run: () => void): void;
  dispose(): void;
}

export interface IsolateSource {
  /** Scripts that run first. */
  readonly scripts: readonly string[];
  /** Freeze the heap after them and start from the copy. */
  readonly snapshot: boolean;
}

export function snapshotOf(scripts: readonly string[]): ivm.ExternalCopy<ArrayBuffer> {
  return ivm.Isolate.createSnapshot(scripts.map((code) => ({ code })));
}

export function openIsolate(source: IsolateSource): TestIsolate {
  return source.snapshot
    ? openFrom(snapshotOf(source.scripts), [])
    : openFrom(null, source.scripts);
}

export function openFrom(
  snapshot: ivm.ExternalCopy<ArrayBuffer> | null,
  scripts: readonly string[],
): TestIsolate {
  const isolate = new ivm.Isolate({ memoryLimit: 128, ...(snapshot === null ? {} : { snapshot }) });
  const context = isolate.createContextSync();
  for (const code of scripts) context.evalSync(code, { timeout: 5_000 });
  return {
    evaluate: (code, timeout = 5_000) => context.eval(code, { promise: true, copy: true, timeout }),
    plant: (name, run) => context.global.setSync(name, new ivm.Callback(run)),
    dispose() {
      if (!isolate.isDisposed) isolate.dispose();
    },
  };
}
