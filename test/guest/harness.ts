// Runs the guest's web platform in a real isolate, without the bridge: the platform is bundled as it ships,
// evaluated in a bare context, and thawed with a port whose functions are written as guest code. Code under
// test is a function body in which `platform` (the Platform), `port` (what a test may change) and `calls`
// (what the platform asked) are in scope; its result crosses as a copy.

import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import ivm from "isolated-vm";

const ENTRY = `
import { createPlatform, topLevelReads } from "./platform.ts";
const before = topLevelReads();
Date.now(); Math.random(); fetch("http://a.test/").catch(() => {});
const after = topLevelReads();
const calls = [];
const port = {
  topLevel: [before, after],
  now: () => 1_700_000_000_000,
  monotonic: () => 0,
  fetch: async (request) => { calls.push(request); return port.reply(request); },
  reply: () => ({ status: 200, statusText: "OK", url: "http://a.test/", redirected: false, headers: "", body: null }),
  bytesCall: async () => new ArrayBuffer(0),
  setTimer(id, ms) { if (ms === 0) queueMicrotask(() => platform.fireTimer(id)); },
  timersMax: 10_000,
  memoryBytes: 2 ** 27,
  clearTimer() {},
  log(level, text) { calls.push({ level, text }); },
};
const platform = createPlatform();
platform.thaw(port, new Uint8Array(32).fill(7));
/** A body on the host's side, out of chunks. */
const incoming = (chunks, text = null) => {
  const state = { text, cancelled: false, pulls: 0 };
  state.pull = async () => { state.pulls++; return chunks.shift() ?? null; };
  state.readText = async () => chunks.splice(0).map((chunk) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(chunk)).join("");
  state.cancel = () => { state.cancelled = true; };
  return state;
};
/** Everything a pulled body gives, as text. */
const decode = (bytes) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
const drain = async (body) => {
  if (body === null || typeof body === "string") return body;
  if (body instanceof Uint8Array) return decode(body);
  let text = "";
  for (let chunk; (chunk = await body.pull()) !== null; ) text += decode(chunk);
  return text;
};
const request = (fields) => platform.createRequest(
  { method: "GET", url: "http://a.test/", headers: "", body: null, protocol: "", ...fields }, () => {});
globalThis.__run = (code, argument) => {
  return new AsyncFunction("platform", "port", "calls", "incoming", "drain", "request", "argument", code)(
    platform, port, calls, incoming, drain, request, argument);
};
`;

let bundled: Promise<string> | undefined;

export function bundlePlatform(): Promise<string> {
  bundled ??= build({
    stdin: {
      contents: ENTRY,
      resolveDir: fileURLToPath(new URL("../../runtime/guest", import.meta.url)),
      loader: "ts",
    },
    bundle: true,
    format: "iife",
    platform: "neutral",
    mainFields: ["module", "main"],
    minifyWhitespace: true,
    target: "es2024",
    // Taken before the platform locks the ways to make code from strings.
    banner: { js: "const AsyncFunction = (async () => {}).constructor;" },
    write: false,
    logLevel: "error",
  }).then((result) => result.outputFiles[0]?.text ?? "");
  return bundled;
}

export interface GuestHarness {
  /** Runs a function body; it may await and return plain data. */
  run<T>(code: string, argument?: unknown): Promise<T>;
  dispose(): void;
}

export async function openGuest(): Promise<GuestHarness> {
  const isolate = new ivm.Isolate({ memoryLimit: 128 });
  const context = await isolate.createContext();
  await context.eval(await bundlePlatform());
  return {
    run: async (code, argument) =>
      (await context.evalClosure("return __run($0, $1);", [code, argument], {
        arguments: { copy: true },
        result: { promise: true, copy: true },
      })) as never,
    dispose: () => isolate.dispose(),
  };
}
