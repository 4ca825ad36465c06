// The text that runs in an isolate, made in one place: by the checker, the snapshot's maker and every worker.

/** What esbuild assigns a script bundle's exports to. */
export const EXPORTS_NAME = "__exports";

/** What the guest script's evaluation leaves behind: a script-scope constant that author code cannot replace. */
export const GUEST_NAME = "__islet";

/** Names in stack traces; the source map of a version belongs to the second. */
export const GUEST_FILE = "islet:guest";
export const BUNDLE_FILE = "islet:bundle";

/**
 * A bundle of format `script` → the script that runs it. `register` calls the factory at once: that is the
 * author's top level. The code stays on its own lines (nothing is put on a line before its first), so the
 * bundle's source map fits; only columns of its first line, which hold no author code, move.
 */
export function wrapScript(code: string): string {
  return `${GUEST_NAME}.register(() => { "use strict"; ${code}\nreturn ${EXPORTS_NAME}; });`;
}
