// Finds what author code can reach and should not: native functions that a pristine context does not have at a
// known place, and functions of the platform's own that must stay inside. Works with any isolate that can
// evaluate a script; the walk itself is guest code.
//
// How: in a pristine context every native function is listed with its path, name and length. In the guest the
// same paths are looked up, and a native function found there under the same name is accepted. Then everything
// is walked: own keys, symbols included, prototypes, getters' functions. A native function that was not
// accepted is a leak: a host callback, a method of an ivm object, an engine's constructor that the platform
// claims to have replaced. Roots are globalThis, the intrinsics that only syntax reaches, and whatever the
// probes below hand out.

/** Reaches what no global names. Evaluated in both contexts. */
const INTRINSICS = `[
  async () => {}, function* () {}, async function* () {}, (function* () {})(), (async function* () {})(),
  [][Symbol.iterator](), new Map()[Symbol.iterator](), new Set()[Symbol.iterator](), ""[Symbol.iterator](),
  "a".matchAll(/a/g), Iterator.from({ next() {} }), [].values().map((x) => x),
  Reflect.getOwnPropertyDescriptor(Reflect.getPrototypeOf(() => {}), "caller"),
  (function () { return arguments; })(), Promise.resolve(), new Error("x"),
  ((before) => {
    Error.prepareStackTrace = (error, frames) => frames;
    const frame = new Error("x").stack[0];
    if (before === undefined) delete Error.prepareStackTrace;
    return frame;
  })(Error.prepareStackTrace), 1n, 1, "", true, Symbol.iterator,
]`;

/**
 * Author code that tries to get at internals. \`collect\` takes anything; \`attempt\` swallows what is thrown
 * and collects it, with the structured frames of its stack.
 */
const PROBES = `
  const prepare = (error, frames) => {
    for (const frame of frames) {
      collect(frame.getThis()); collect(frame.getFunction()); collect(frame);
    }
    return frames;
  };
  Error.prepareStackTrace = prepare;
  const then = Promise.prototype.then;
  // Also what promises settle to; a rejection nobody handles would end the script.
  const settled = (value) => {
    collect(value);
    if (value instanceof Promise) reflectApply(then, value, [collect, failed]);
  };
  const failed = (error) => { collect(error); collect(error?.stack); };
  const attempt = (run) => { try { settled(run()); } catch (error) { failed(error); } };
  const api = () => {
    for (const name of Object.getOwnPropertyNames(globalThis)) {
      if (name === "__leaks" || name === "eval") continue;
      const value = globalThis[name];
      if (typeof value !== "function") continue;
      attempt(() => value()); attempt(() => value(null)); attempt(() => value(() => {}));
      if (value.prototype === undefined) continue;
      attempt(() => new value()); attempt(() => new value("http://a.test/")); attempt(() => new value(1));
      for (const key of Reflect.ownKeys(value.prototype)) {
        attempt(() => value.prototype[key]);
        let instance;
        try { instance = new value("x:y"); settled(instance); } catch { continue; }
        if (instance === undefined || typeof instance !== "object") continue;
        attempt(() => instance[key]);
        if (typeof instance[key] === "function" && !/wait/.test(String(key))) attempt(() => instance[key]("x", "y"));
      }
    }
    attempt(() => structuredClone({ a: [new Map([[1, new Date(0)]])] }));
    attempt(() => setTimeout(() => {}, 1)); attempt(() => setInterval(() => {}, 1));
    attempt(() => console.log({ a: 1 }, "%s", 1)); attempt(() => console.table([{ a: 1 }]));
    attempt(() => crypto.getRandomValues(new Uint8Array(8)));
    attempt(() => crypto.subtle.digest("SHA-1", new Uint8Array(1)));
    attempt(() => new URL("http://ä.test/?a=b").searchParams.append("c", "d"));
    attempt(() => Date()); attempt(() => new Date()); attempt(() => performance.now()); attempt(() => Math.random());
    attempt(() => {
      const c = new AbortController();
      AbortSignal.any([c.signal]).addEventListener("abort", () => {});
      c.abort();
    });
    attempt(() => new EventTarget().addEventListener("x", () => {}));
    attempt(() => queueMicrotask(() => {})); attempt(() => atob("YQ==")); attempt(() => btoa("a"));
  };
  api();
  // Once more with spies in the place of what internals may call on objects of theirs.
  const spied = [];
  const spyOn = (holder, key) => {
    const descriptor = Object.getOwnPropertyDescriptor(holder, key);
    if (descriptor === undefined || !descriptor.configurable || typeof descriptor.value !== "function") return;
    const original = descriptor.value;
    let inside = false;
    spied.push(() => Object.defineProperty(holder, key, descriptor));
    Object.defineProperty(holder, key, { ...descriptor, value: function (...args) {
      if (!inside) {
        inside = true;
        try { collect(this); for (let i = 0; i < args.length; i++) collect(args[i]); } finally { inside = false; }
      }
      return reflectApply(original, this, args);
    } });
  };
  for (const holder of [Map.prototype, WeakMap.prototype, Set.prototype, Promise.prototype, Function.prototype,
    Object.getPrototypeOf(Uint8Array.prototype), String.prototype]) {
    for (const key of Object.getOwnPropertyNames(holder)) if (key !== "constructor") spyOn(holder, key);
  }
  for (const key of ["push", "slice", "includes", "indexOf", "forEach", "map", "filter", "join", "splice"]) {
    spyOn(Array.prototype, key);
  }
  for (const key of ["defineProperty", "assign", "keys", "entries", "freeze"]) spyOn(Object, key);
  for (const key of ["apply", "get", "ownKeys"]) spyOn(Reflect, key);
  api();
  for (const undo of spied) undo();
  delete Error.prepareStackTrace;
`;

/** The walk. \`visit\` gets each function once with its path; without roots of probes in the pristine context. */
const WALK = `
  const { apply: reflectApply, ownKeys, getOwnPropertyDescriptor: describe, getPrototypeOf } = Reflect;
  const seen = new Set(), has = seen.has.bind(seen), add = seen.add.bind(seen);
  const functionText = getPrototypeOf(() => {}).toString, includes = String.prototype.includes;
  const isNative = (fn) => {
    try {
      return reflectApply(includes, reflectApply(functionText, fn, []), ["[native code]"]);
    } catch { return false; }
  };
  const label = (fn, key) => {
    try { return String(describe(fn, key)?.value ?? ""); } catch { return ""; }
  };
  const walk = (root, path, visit) => {
    const queue = [[root, path]];
    for (let i = 0; i < queue.length; i++) {
      const [value, at] = queue[i];
      if (value === null || (typeof value !== "object" && typeof value !== "function") || has(value)) continue;
      add(value);
      if (typeof value === "function") visit(value, at);
      let keys = [];
      try { keys = ownKeys(value); } catch {}
      if (keys.length > 20000) keys = keys.slice(0, 100);
      for (const key of keys) {
        let d;
        try { d = describe(value, key); } catch { continue; }
        if (d === undefined) continue;
        const name = at + "." + String(key);
        if ("value" in d) queue.push([d.value, name]);
        else { queue.push([d.get, name + "<get>"]); queue.push([d.set, name + "<set>"]); }
      }
      try { queue.push([getPrototypeOf(value), at + ".__proto__"]); } catch {}
    }
  };
`;

/** Lists the native functions of a pristine context. */
export const LIST_NATIVE: string = `(() => { "use strict"; ${WALK}
  const found = [];
  const visit = (fn, path) => { if (isNative(fn)) found.push([path, label(fn, "name"), label(fn, "length")]); };
  walk(globalThis, "globalThis", visit);
  const extra = ${INTRINSICS};
  for (let i = 0; i < extra.length; i++) walk(extra[i], "intrinsic" + i, visit);
  return JSON.stringify(found);
})()`;

export interface ReachOptions {
  /** What LIST_NATIVE gave in a pristine context. */
  readonly pristine: string;
  /** Names of functions that must stay inside, e.g. the port's. */
  readonly internalNames: readonly string[];
  /** Bound functions that the platform hands out on purpose, by name. */
  readonly boundNames: readonly string[];
  /** Where native functions may stand that have no name, by the last key of their path. */
  readonly keysAllowed: readonly string[];
  /** Accept what the engine gives a promise's executor: nameless, one parameter, no prototype. */
  readonly resolversAllowed?: boolean;
  /** Skip the probes: they take a while. */
  readonly quick?: boolean;
}

/** A script that evaluates to a JSON list of paths: empty when nothing leaks. */
export function listLeaks(options: ReachOptions): string {
  return `(() => { "use strict"; ${WALK}
  const pristine = ${options.pristine};
  const internal = ${JSON.stringify(options.internalNames)}, bound = ${JSON.stringify(options.boundNames)};
  const keysAllowed = ${JSON.stringify(options.keysAllowed)};
  const extra = ${INTRINSICS};
  const accepted = new Set(), accept = accepted.add.bind(accepted), isAccepted = accepted.has.bind(accepted);
  // Each path of the pristine context, looked up without running a getter.
  for (const [path, name, length] of pristine) {
    const steps = path.match(/Symbol\\([^)]*\\)|<get>|<set>|[^.<]+/g);
    let value = steps[0] === "globalThis" ? globalThis : extra[Number(steps[0].slice(9))];
    for (let i = 1; i < steps.length && value !== null && value !== undefined; i++) {
      const step = steps[i];
      if (step === "__proto__" && !Object.hasOwn(value, "__proto__")) {
        value = getPrototypeOf(Object(value));
        continue;
      }
      const wanted = step.startsWith("Symbol(") ? ownKeys(value).find((key) => String(key) === step) : step;
      const d = wanted === undefined ? undefined : describe(Object(value), wanted);
      if (d === undefined) { value = undefined; break; }
      if (steps[i + 1] === "<get>") { value = d.get; i++; }
      else if (steps[i + 1] === "<set>") { value = d.set; i++; }
      else value = d.value;
    }
    const same = typeof value === "function" && label(value, "name") === name && label(value, "length") === length;
    if (same && isNative(value)) accept(value);
  }
  const leaks = [];
  const visit = (fn, path) => {
    const name = label(fn, "name");
    const key = path.slice(path.lastIndexOf(".") + 1);
    if (internal.indexOf(name) >= 0) leaks.push(path + " (internal " + name + ")");
    else if (bound.indexOf(name) >= 0 || keysAllowed.indexOf(key) >= 0) return;
    else if (${options.resolversAllowed === true} && name === "" && label(fn, "length") === "1" &&
      describe(fn, "prototype") === undefined) return;
    else if (isNative(fn) && !isAccepted(fn)) leaks.push(path + " (native " + name + ")");
  };
  walk(globalThis, "globalThis", visit);
  for (let i = 0; i < extra.length; i++) walk(extra[i], "intrinsic" + i, visit);
  ${
    options.quick === true
      ? ""
      : `const collected = [];
  const push = collected.push.bind(collected);
  const collect = (value) => { if (collected.length < 200000) push(value); };
  ((reflectApply) => { ${PROBES} })(reflectApply);
  for (let i = 0; i < collected.length; i++) walk(collected[i], "probe" + i, visit);`
  }
  return JSON.stringify(leaks);
})()`;
}
