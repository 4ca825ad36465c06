// The door to esbuild. It runs as one long-lived child process of its own that the library starts with the
// first build and never lets keep this process alive; `stopEsbuild` ends it.

import { build, stop } from "esbuild";
import type { BuildOptions, BuildResult, Message, Plugin } from "esbuild";

export type { BuildOptions, Message, Plugin };

export type Built = BuildResult<{ write: false; metafile: true }>;

export type BuildOutcome =
  | { readonly ok: true; readonly built: Built }
  | {
      readonly ok: false;
      readonly errors: readonly Message[];
      readonly warnings: readonly Message[];
    };

/** Runs one build. What is wrong with the input is a result; anything else throws. */
export async function runEsbuild(options: BuildOptions): Promise<BuildOutcome> {
  try {
    const built = await build({ ...options, write: false, metafile: true, logLevel: "silent" });
    return { ok: true, built };
  } catch (error) {
    if (!isBuildFailure(error)) throw error;
    return { ok: false, errors: error.errors, warnings: error.warnings };
  }
}

/** Starts the child now, so that the first publish does not wait for it. */
export async function warmEsbuild(): Promise<void> {
  await build({ stdin: { contents: "" }, write: false, logLevel: "silent" });
}

export async function stopEsbuild(): Promise<void> {
  await stop();
}

function isBuildFailure(
  error: unknown,
): error is Error & { errors: Message[]; warnings: Message[] } {
  return (
    error instanceof Error &&
    "errors" in error &&
    Array.isArray(error.errors) &&
    "warnings" in error &&
    Array.isArray(error.warnings)
  );
}
