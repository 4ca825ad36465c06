// What the guest script evaluates to. The bundler wraps this module so that its exports become the one global
// lexical binding `__islet`: a script-scope const, which author code can see and call but not replace.
//
// Two lives: in a snapshot, the platform is built and the author's module registered, then the heap is frozen;
// in an isolate, `boot` runs once, restores what a snapshot cannot hold, and returns `enter`.

import { createBridge, type BootArguments, type Enter } from "./bridge.ts";
import { inspect as inspectValue } from "./inspect.ts";
import { createPlatform, previewEnvironment, topLevelReads } from "./platform.ts";
import { workersModule } from "./workers/module.ts";

/** Methods any of which makes an object a handler. */
const METHODS = ["fetch", "queue", "scheduled", "onRequest", "onResponse", "onError"] as const;

const hasOwn = Object.hasOwn;
const keysOf = Object.keys;
const platform = createPlatform();
let factoryResult: unknown;
let booted = false;

/** Runs the author's module. What it exports is looked at when the first request arrives. */
export function register(factory: () => unknown): void {
  factoryResult = factory();
}

/** For the compiler's node:util. */
export const show: typeof inspectValue = inspectValue;

/** What `cloudflare:workers` exports. */
export function workers(): object {
  return workersModule;
}

/** For the compiler's checks, before `register`: `text` as boot's `env`. */
export function preview(text: string): void {
  if (!booted) previewEnvironment(text);
}

/** For the compiler's checks: what the module exports and what it did while it loaded. */
export function inspect(): string {
  const handler = exported("");
  const methods = methodsOf(handler);
  return JSON.stringify({ handler: kindOf(handler, methods), methods, ...topLevelReads() });
}

export function boot(args: BootArguments): Enter {
  if (booted) throw new TypeError("Booted already.");
  booted = true;
  return createBridge(platform, args, { named: exported, names: exportedNames });
}

function exportedNames(): readonly string[] {
  const isModule = typeof factoryResult === "object" && factoryResult !== null;
  return isModule ? keysOf(factoryResult as object) : [];
}

/** "": by default. */
function exported(name: string): unknown {
  if (typeof factoryResult !== "object" || factoryResult === null) return undefined;
  if (name === "") return (factoryResult as { default?: unknown }).default;
  if (hasOwn(factoryResult, name)) return (factoryResult as Record<string, unknown>)[name];
  throw new TypeError(`The module exports nothing named ${name}.`);
}

function kindOf(handler: unknown, methods: readonly string[]): "function" | "object" | "none" {
  if (typeof handler === "function") return "function";
  return methods.length > 0 ? "object" : "none";
}

function methodsOf(handler: unknown): readonly string[] {
  const found: string[] = [];
  if (typeof handler !== "object" || handler === null) return found;
  for (let at = 0; at < METHODS.length; at++) {
    const name = METHODS[at] ?? "";
    if (typeof (handler as Record<string, unknown>)[name] === "function")
      found[found.length] = name;
  }
  return found;
}
