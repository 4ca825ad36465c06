// What `import … from "cloudflare:workers"` gives. The compiler's module (compiler/imports.ts) asks for it once, while
// the author's module loads, which may be before there is an environment, or a host at all.

import type { Port } from "../port.ts";
import {
  DurableObject,
  RpcPromise,
  RpcProperty,
  RpcStub,
  RpcTarget,
  ServiceStub,
  WorkerEntrypoint,
  WorkflowEntrypoint,
} from "./entrypoints.ts";
import { tracing } from "./tracing.ts";

/** The handler's `env` from boot on; before, what the checker knows of it. */
let current: object = {};
let port: Port | null = null;
let reads = 0;
const { defineProperty, deleteProperty, get, getOwnPropertyDescriptor, has, ownKeys, set } =
  Reflect;

function seen(): object {
  if (port === null) reads++;
  return current;
}

/**
 * One object for the life of the isolate, though what it shows comes at boot only: a snapshot holds the object and
 * nothing of the environment. A module that looks at it while it loads is therefore never part of a snapshot.
 */
const env: object = new Proxy({}, {
  __proto__: null,
  defineProperty: (_, key, descriptor) => defineProperty(seen(), key, descriptor),
  deleteProperty: (_, key) => deleteProperty(seen(), key),
  get: (_, key) => get(seen(), key) as unknown,
  getOwnPropertyDescriptor: (_, key) => getOwnPropertyDescriptor(seen(), key),
  has: (_, key) => has(seen(), key),
  ownKeys: () => ownKeys(seen()),
  preventExtensions: () => false,
  set: (_, key, value) => set(seen(), key, value),
  setPrototypeOf: () => false,
} as ProxyHandler<object>);

/** `ctx.exports` of the request whose code looks at it. */
const exports: object = new Proxy({}, {
  __proto__: null,
  get: (_, key) => get(ownExports(), key) as unknown,
  getOwnPropertyDescriptor: (_, key) => {
    const found = getOwnPropertyDescriptor(ownExports(), key);
    // A Proxy may not show what its target has not as unchangeable.
    return found === undefined ? undefined : { ...found, configurable: true };
  },
  has: (_, key) => has(ownExports(), key),
  ownKeys: () => ownKeys(ownExports()),
  preventExtensions: () => false,
  set: () => false,
} as ProxyHandler<object>);

function ownExports(): object {
  const found = port?.exports() ?? null;
  if (found !== null) return found;
  throw new TypeError("exports can be looked at while a request or an event is handled.");
}

/** For what `run` does at once: which code behind an `await` belongs to it, nobody knows. */
function withEnv(environment: unknown, run: unknown): unknown {
  if (typeof environment !== "object" || environment === null || typeof run !== "function") {
    throw new TypeError("withEnv requires an object and a function");
  }
  const outer = current;
  current = environment;
  try {
    return (run as () => unknown)();
  } finally {
    current = outer;
  }
}

function waitUntil(work: unknown): void {
  if (port === null || !port.waitUntil(work)) {
    throw new TypeError("waitUntil works while a request or an event is handled.");
  }
}

export const workersModule: object = Object.freeze({
  __proto__: null,
  DurableObject,
  RpcPromise,
  RpcProperty,
  RpcStub,
  RpcTarget,
  ServiceStub,
  WorkerEntrypoint,
  WorkflowEntrypoint,
  env,
  exports,
  tracing,
  waitUntil,
  withEnv,
});

/** What it shows to a module that is only checked. */
export function previewModule(environment: object): void {
  current = environment;
}

export function thawModule(thawed: Port, environment: object): void {
  current = environment;
  port = thawed;
}

export function topLevelEnvReads(): number {
  return reads;
}
