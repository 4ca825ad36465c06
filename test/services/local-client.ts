// The guest's client of a binding without an isolate between: values cross packed, as over the bridge.

import { packValue, unpackValue, type Value } from "../../sdk/services/values.ts";
import { Streamed, type ServicePort } from "../../sdk/services/service.ts";
import { EdgeError } from "../../sdk/errors.ts";
import type { ServiceClient } from "../../runtime/guest/services/client.ts";
import { ServiceError } from "../../runtime/guest/services/service-error.ts";

/** All calls are request 1. */
export function createLocalClient(port: ServicePort): ServiceClient {
  const { signal } = new AbortController();
  const ask = async (method: string, args: readonly Value[]): Promise<Value | Streamed> => {
    const context = { request: 1, signal, body: null, hold: () => true };
    try {
      return await port.call(method, crossed(args) as readonly Value[], context);
    } catch (error) {
      throw asSeen(error);
    }
  };
  return {
    async call(method, args) {
      const answer = await ask(method, args);
      if (answer instanceof Streamed) throw new Error(`${method} answers with a stream`);
      return crossed(answer);
    },
    async open(method, args) {
      const answer = await ask(method, args);
      if (!(answer instanceof Streamed)) throw new Error(`${method} does not answer with a stream`);
      const rest = answer.rest[Symbol.asyncIterator]();
      return {
        head: crossed(answer.head),
        async pull() {
          try {
            const next = await rest.next();
            return next.done === true ? undefined : crossed(next.value);
          } catch (error) {
            throw asSeen(error);
          }
        },
        cancel: () => void rest.return?.(),
      };
    },
  };
}

function crossed(value: Value): Value {
  const { text, bytes } = packValue(value);
  return unpackValue(text, bytes);
}

function asSeen(error: unknown): unknown {
  return error instanceof EdgeError ? new ServiceError(error.code, error.message) : error;
}
