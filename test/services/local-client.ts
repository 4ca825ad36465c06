// The guest's client of a binding without an isolate between: values cross packed, as over the bridge.

import { packValue, STREAM, unpackValue, type Value } from "../../sdk/services/values.ts";
import { Streamed, type ServicePort } from "../../sdk/services/service.ts";
import { EdgeError } from "../../sdk/errors.ts";
import type { ServiceClient } from "../../runtime/guest/services/client.ts";
import { ServiceError } from "../../runtime/guest/services/service-error.ts";

type NextPiece = () => Promise<Uint8Array | null>;

/** All calls are request 1. */
export function createLocalClient(port: ServicePort): ServiceClient {
  const ask = async (
    method: string,
    args: readonly Value[],
    { next, abort }: { readonly next: NextPiece | null; readonly abort: AbortController },
  ): Promise<Value | Streamed> => {
    const body = next !== null && args.includes(STREAM) ? pushed(next, abort) : null;
    const context = { request: 1, signal: abort.signal, body, hold: () => true };
    try {
      return await port.call(method, crossed(args) as readonly Value[], context);
    } catch (error) {
      throw asSeen(error);
    }
  };
  return {
    async call(method, args) {
      const answer = await ask(method, args, { next: null, abort: new AbortController() });
      if (answer instanceof Streamed) throw new Error(`${method} answers with a stream`);
      return crossed(answer);
    },
    async open(method, args, next = null) {
      const abort = new AbortController();
      const answer = await ask(method, args, { next, abort });
      if (!(answer instanceof Streamed)) {
        return { head: crossed(answer), pull: async () => undefined, cancel: () => undefined };
      }
      const rest = answer.rest[Symbol.asyncIterator]();
      return {
        head: crossed(answer.head),
        async pull() {
          try {
            const piece = await rest.next();
            return piece.done === true ? undefined : crossed(piece.value);
          } catch (error) {
            throw asSeen(error);
          }
        },
        cancel() {
          abort.abort();
          void rest.return?.();
        },
      };
    },
  };
}

/** A source that fails takes the call with it, as over the bridge. */
async function* pushed(next: NextPiece, abort: AbortController): AsyncGenerator<Uint8Array> {
  try {
    for (let piece = await next(); piece !== null; piece = await next()) yield piece;
  } catch {
    abort.abort();
    throw new EdgeError("CANCELLED");
  }
}

function crossed(value: Value): Value {
  const { text, bytes } = packValue(value);
  return unpackValue(text, bytes);
}

function asSeen(error: unknown): unknown {
  return error instanceof EdgeError ? new ServiceError(error.code, error.message) : error;
}
