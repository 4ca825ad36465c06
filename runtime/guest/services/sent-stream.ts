// A body that goes to a service piece by piece, as the author's stream gives it.

import type { Value } from "../../../sdk/services/values.ts";
import type { PulledBody } from "../body.ts";
import { bytesOf } from "../buffer-source.ts";
import type { ServiceClient } from "./client.ts";

export function isPulled(body: string | Uint8Array | PulledBody | null): body is PulledBody {
  return typeof body === "object" && body !== null && bytesOf(body) === null;
}

export async function sendStream(
  client: ServiceClient,
  { method, args, body }: { method: string; args: readonly Value[]; body: PulledBody },
): Promise<Value> {
  let failure: { readonly reason: unknown } | null = null;
  let ended = false;
  const pull = async (): Promise<Uint8Array | null> => {
    try {
      const piece = await body.pull();
      ended = piece === null;
      return piece;
    } catch (reason) {
      ended = true;
      failure = { reason };
      throw reason;
    }
  };
  try {
    return (await client.open(method, args, pull)).head;
  } catch (error) {
    // The author's own error, where it was that.
    throw failure === null ? error : (failure as { readonly reason: unknown }).reason;
  } finally {
    if (!ended) body.cancel("No more of it is read.");
  }
}
