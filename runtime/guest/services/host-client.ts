// The client of one binding over the bridge. Answers are a value, and bytes beside it (sdk/services/values.ts).

import { CALLS } from "../../../sdk/bridge.ts";
import { bytesToText, packValue, unpackValue, type Value } from "../../../sdk/services/values.ts";
import type { CallAnswer, Port, StartedCall } from "../port.ts";
import type { OpenAnswer, ServiceClient } from "./client.ts";
import { ServiceError } from "./service-error.ts";

export type ServiceHost = Pick<Port, "begin" | "cancel">;

export function createServiceClient(host: ServiceHost, binding: string): ServiceClient {
  const begin = (method: string, args: readonly Value[]): StartedCall => {
    const { text, bytes } = packValue(args, bytesToText);
    return host.begin(CALLS.SERVICE, `${binding}\n${method}\n${text}`, bytes);
  };

  return {
    async call(method, args) {
      let answer: CallAnswer;
      // Not by `settled`: for a hundred calls at once, a promise more each is a tenth of what they cost.
      try {
        answer = await begin(method, args).answer;
      } catch (error) {
        throw failureOf(error);
      }
      return readAnswer(answer);
    },
    async open(method, args, body = null) {
      const { id, answer } = begin(method, args);
      if (body !== null) void upload(host, id, body);
      const head = readAnswer(await settled(answer));
      // Without a prototype: resolving a promise with it must not run a getter of the author's for `then`.
      const open: OpenAnswer & { readonly __proto__: null } = {
        __proto__: null,
        head,
        async pull() {
          const next = await settled(host.begin(CALLS.SERVICE_PULL, `${id}`, null).answer);
          return next.payload === "" ? undefined : readAnswer(next);
        },
        cancel: () => host.cancel(id),
      };
      return open;
    },
  };
}

async function upload(
  host: ServiceHost,
  id: number,
  next: () => Promise<Uint8Array | null>,
): Promise<void> {
  try {
    for (;;) {
      const chunk = await next();
      if (chunk === null) break;
      if (chunk.byteLength > 0) await host.begin(CALLS.SERVICE_PUSH, `${id}`, chunk).answer;
    }
    await host.begin(CALLS.SERVICE_PUSH, `${id}\nend`, null).answer;
  } catch {
    // The call itself rejects for whatever reason the stream could not go on; cancelling it ends both.
    host.cancel(id);
  }
}

export function readAnswer({ payload, buffers }: CallAnswer): Value {
  const end = payload.indexOf("\n");
  const buffer = end > 0 ? buffers[Number(payload.slice(0, end))] : undefined;
  return unpackValue(payload.slice(end + 1), buffer === undefined ? null : new Uint8Array(buffer));
}

/** The host's plain data as an error. */
async function settled(answer: Promise<CallAnswer>): Promise<CallAnswer> {
  try {
    return await answer;
  } catch (error) {
    throw failureOf(error);
  }
}

function failureOf(error: unknown): ServiceError {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return new ServiceError(
    typeof code === "string" ? code : "INTERNAL",
    typeof message === "string" ? message : "The call failed.",
  );
}
