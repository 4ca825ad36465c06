// What an operator asks of a service, made as a call of a binding: no other code has to know what a service can do.

import { EdgeError } from "../../../sdk/errors.ts";
import {
  OPERATOR_BYTES_MAX,
  Streamed,
  type OperatorCall,
  type PackedText,
} from "../../../sdk/services/service.ts";
import { packValue, unpackValue, type Value } from "../../../sdk/services/values.ts";
import { createOperatorPort } from "../../../services/ports.ts";
import type { ServiceHub } from "./hub.ts";

/** Below what the supervisor waits. */
const CALL_MS_MAX = 25_000;
/** Whose turn such a call takes in the actor's mailbox: no endpoint has this name. */
const OPERATOR = "";

/** An answer that goes on is answered as [head, what follows as a list]. */
export async function callAsOperator(
  hub: ServiceHub,
  { kind, service, scope, method }: OperatorCall,
  args: PackedText,
  timeoutMs: number = CALL_MS_MAX,
): Promise<PackedText> {
  const now = (): number => Date.now();
  const request = { scope, options: {}, caller: OPERATOR, now };
  const port = createOperatorPort(kind, hub.actor(kind, service), request);
  const values = unpackText(args);
  if (!Array.isArray(values)) throw new EdgeError("CALL_INVALID");
  let held = 0;
  const hold = (bytes: number): boolean => {
    held += bytes;
    if (held > OPERATOR_BYTES_MAX) throw tooLarge();
    return true;
  };
  const signal = AbortSignal.timeout(timeoutMs);
  const context = { request: 0, signal, body: null, hold };
  try {
    const answer = await port.call(method, values as readonly Value[], context);
    return packText(answer instanceof Streamed ? await gather(answer) : answer);
  } catch (error) {
    // Whatever it says then: that nobody wants the answer any more is of no use to who waits for it.
    if (!signal.aborted) throw error;
    const text = `${service} did not answer within the ${timeoutMs} ms that an operator's call has.`;
    throw new EdgeError("SERVICE_TIMEOUT", text, { cause: error });
  } finally {
    port.close();
  }
}

async function gather({ head, rest }: Streamed): Promise<Value> {
  const pieces: Value[] = [];
  let bytes = 0;
  // Leaving the loop ends what follows.
  for await (const piece of rest) {
    const packed = packValue(piece);
    bytes += packed.text.length + (packed.bytes?.byteLength ?? 0);
    if (bytes > OPERATOR_BYTES_MAX) throw tooLarge();
    pieces.push(piece);
  }
  return [head, pieces];
}

function tooLarge(): EdgeError {
  const text = `The answer has more than the ${OPERATOR_BYTES_MAX} bytes that an operator is given at once.`;
  return new EdgeError("SERVICE_TOO_LARGE", text);
}

function packText(value: Value): PackedText {
  const { text, bytes } = packValue(value);
  return { text, bytes: bytes === null ? null : Buffer.from(bytes).toString("base64") };
}

function unpackText({ text, bytes }: PackedText): Value {
  return unpackValue(text, bytes === null ? null : Buffer.from(bytes, "base64"));
}
