// What a handler is given of its surroundings: `env`, with vars and bindings by name, and `ctx.services`, with the
// bindings by kind and name.

import { FACES } from "./faces.ts";
import { createFetcher } from "./fetcher.ts";
import { createServiceClient, type ServiceHost } from "./host-client.ts";

/** As the worker packs it (runtime/worker/services): vars as they are, bindings as [kind, name]. */
interface Packed {
  readonly vars?: Record<string, unknown>;
  readonly bindings?: readonly (readonly [kind: string, name: string])[];
}

export interface Environment {
  readonly env: object;
  readonly services: Services;
}

const parse = JSON.parse;
const create = Object.create as (prototype: null) => Record<string, object>;
const define = Object.defineProperty;

export function createEnvironment(text: string, port: ServiceHost): Environment {
  const { vars = {}, bindings = [] } = parse(text) as Packed;
  const byKind = create(null);
  for (let at = 0; at < bindings.length; at++) {
    const [kind, name] = bindings[at] ?? ["", ""];
    const face =
      kind === "endpoint" ? createFetcher(name) : FACES[kind]?.(createServiceClient(port, name));
    if (face === undefined) continue;
    define(vars, name, { value: face, enumerable: true, writable: true, configurable: true });
    byKind[`${kind} ${name}`] = face;
  }
  return { env: vars, services: new Services(byKind) };
}

/** `ctx.services`. A name that the endpoint does not bind is an error, not undefined: it is a slip of the pen. */
export class Services {
  readonly #byKind: Record<string, object>;

  constructor(byKind: Record<string, object>) {
    this.#byKind = byKind;
  }

  database(name: string): object {
    return this.#find("database", name);
  }

  cache(name: string): object {
    return this.#find("cache", name);
  }

  kv(name: string): object {
    return this.#find("kv", name);
  }

  storage(name: string): object {
    return this.#find("storage", name);
  }

  email(name: string): object {
    return this.#find("email", name);
  }

  queue(name: string): object {
    return this.#find("queue", name);
  }

  requireDb(name: string): object {
    return this.#find("database", name);
  }

  requireCache(name: string): object {
    return this.#find("cache", name);
  }

  requireStorage(name: string): object {
    return this.#find("storage", name);
  }

  #find(kind: string, name: string): object {
    const face = this.#byKind[`${kind} ${name}`];
    if (face !== undefined) return face;
    throw new TypeError(`The endpoint binds no ${kind} named "${name}" (bindings in edge.jsonc).`);
  }
}
