// A table of methods as the port of one binding: what most kinds are.

import { EdgeError } from "../sdk/errors.ts";
import type { CallContext, ServicePort, Streamed } from "../sdk/services/service.ts";
import type { Value } from "../sdk/services/values.ts";

export type Method = (args: readonly Value[], context: CallContext) => Promise<Value | Streamed>;

/** null: it has to wait. */
export type MethodNow = (
  args: readonly Value[],
  context: Pick<CallContext, "hold">,
) => { readonly value: Value } | null;

export interface PortOptions {
  readonly methods: Readonly<Record<string, Method>>;
  /** Those of them that may be answered at once, with the same answer. */
  readonly now?: Readonly<Record<string, MethodNow>>;
  readonly requestDone?: (request: number) => void;
  readonly close?: () => void;
}

export function createPort({ methods, now = {}, requestDone, close }: PortOptions): ServicePort {
  return {
    callNow: (name, args, context) =>
      Object.hasOwn(now, name) ? (now[name]?.(args, context) ?? null) : null,
    call(name, args, context) {
      const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
      if (method === undefined) {
        return Promise.reject(new EdgeError("CALL_INVALID", "The service has no such method."));
      }
      // Not async: for a promise of a promise three more turns pass.
      try {
        return method(args, context);
      } catch (error) {
        return Promise.reject(error as Error);
      }
    },
    requestDone: (request) => requestDone?.(request),
    close: () => close?.(),
  };
}
