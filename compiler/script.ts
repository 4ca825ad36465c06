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

export interface SnapshotScript {
  readonly code: string;
  readonly filename: string;
}

/** Between the scripts of a snapshot; gone before the author's code runs. */
const HANDOVER = "__handover";

/**
 * The scripts that make a full snapshot. The bundle runs through `eval`, because for such code alone V8 can be told
 * to compile all functions at once (the engine's makeSnapshot does): the first request finds the author's code
 * compiled, while the platform's rarely used parts stay source text. Its text comes in a script of its own, which
 * nothing keeps: V8 holds on to the source of whoever calls `eval`. Stack traces name it as they would without.
 */
export function snapshotScripts(guestCode: string, code: string): readonly SnapshotScript[] {
  const text = JSON.stringify(`${wrapScript(code)}\n//# sourceURL=${BUNDLE_FILE}`);
  const run =
    `{ const { evaluate, text } = globalThis.${HANDOVER}; ` +
    `delete globalThis.${HANDOVER}; evaluate(text); }`;
  return [
    {
      code: `globalThis.${HANDOVER} = { evaluate: eval, text: ${text} };`,
      filename: "islet:handover",
    },
    { code: guestCode, filename: GUEST_FILE },
    { code: run, filename: "islet:run" },
  ];
}
