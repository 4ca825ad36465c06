// Whom a request or an event is for: the author's default export or one exported by name, each an object with methods,
// a function, or a class that extends WorkerEntrypoint, of which every call gets an instance.

type Method = (this: unknown, argument: unknown, env: unknown, context: unknown) => unknown;
type EntrypointClass = new (context: unknown, env: unknown) => Record<string, unknown>;

const apply = Reflect.apply;
const isPrototypeOf = Object.prototype.isPrototypeOf;

export class WorkerEntrypoint {
  readonly ctx: unknown;
  readonly env: unknown;

  constructor(context: unknown, env: unknown) {
    this.ctx = context;
    this.env = env;
  }
}

const entrypoint: object = WorkerEntrypoint.prototype;

/** A name that other code imports and extends at top level; nothing here ever makes one. */
function absent(name: string): new () => object {
  const Absent = class {
    constructor() {
      throw new TypeError(`${name} does not exist here.`);
    }
  };
  Object.defineProperty(Absent, "name", { value: name, configurable: true });
  return Absent;
}

export const DurableObject: new () => object = absent("DurableObject");
export const WorkflowEntrypoint: new () => object = absent("WorkflowEntrypoint");
export const RpcPromise: new () => object = absent("RpcPromise");
export const RpcProperty: new () => object = absent("RpcProperty");
export const RpcStub: new () => object = absent("RpcStub");
export const ServiceStub: new () => object = absent("ServiceStub");
/** Marks what may be passed by reference elsewhere; here calls pass values only. */
export class RpcTarget {}

function isEntrypoint(value: unknown): value is EntrypointClass {
  if (typeof value !== "function") return false;
  const { prototype } = value as { prototype?: unknown };
  return (
    typeof prototype === "object" && (apply(isPrototypeOf, entrypoint, [prototype]) as boolean)
  );
}

export function callFetch(
  handler: unknown,
  request: unknown,
  env: unknown,
  context: unknown,
): unknown {
  if (typeof handler === "function") {
    if (!isEntrypoint(handler)) return (handler as Method)(request, env, context);
    handler = new handler(context, env);
  }
  const module = handler as { fetch?: Method } | null | undefined;
  if (typeof module?.fetch === "function") return module.fetch(request, env, context);
  throw new TypeError("The handler has no fetch function: it takes events only.");
}

export function hasMethod(handler: unknown, name: string): boolean {
  const methods: unknown = isEntrypoint(handler) ? handler.prototype : handler;
  return typeof (methods as Record<string, unknown> | null | undefined)?.[name] === "function";
}

/** Of what takes an event. Throws when there is no such method. */
export function eventMethod(
  handler: unknown,
  name: string,
): (argument: unknown, env: unknown, context: unknown) => unknown {
  if (isEntrypoint(handler)) {
    const method: unknown = (handler.prototype as Record<string, unknown>)[name];
    if (typeof method === "function") {
      return (argument, env, context) =>
        apply(method as Method, new handler(context, env), [argument, env, context]);
    }
  } else {
    const module = handler as Record<string, unknown> | null | undefined;
    if (typeof module?.[name] === "function") {
      return (argument, env, context) =>
        (module as Record<string, Method>)[name]?.(argument, env, context);
    }
  }
  throw new TypeError(`The handler has no ${name} function.`);
}
