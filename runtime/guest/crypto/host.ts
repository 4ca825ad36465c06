// The way to the host, which does the work and has the keys.

import { CALLS } from "../../../sdk/bridge.ts";
import { packValue, type Value } from "../../../sdk/services/values.ts";
import { DOMException } from "../dom-exception.ts";
import type { CallAnswer, Port } from "../port.ts";
import { readAnswer } from "../services/host-client.ts";
import { fail } from "./algorithms.ts";

let port: Port | null = null;
let earlyCalls = 0;

export function thawCrypto(thawed: Port): void {
  port = thawed;
}

/** Calls before the isolate was booted, which a module may not make. */
export function topLevelCryptoCount(): number {
  return earlyCalls;
}

function requirePort(): Port {
  if (port === null) earlyCalls++;
  return port ?? fail("InvalidStateError", "Cryptography works in handlers, not at top level");
}

/** What the host itself failed with; an author meets no codes here. */
function operationError(error: unknown): DOMException {
  const message = (error as { message?: unknown } | null)?.message;
  return new DOMException(typeof message === "string" ? message : "", "OperationError");
}

export async function askBytes(
  name: string,
  args: string,
  bytes: Uint8Array,
): Promise<ArrayBuffer> {
  const host = requirePort();
  try {
    return await host.bytesCall(name, args, bytes);
  } catch (error) {
    throw operationError(error);
  }
}

/** `finish` makes what the author gets of the answer, at once: nothing plain of ours is ever awaited. */
export async function ask<T>(
  method: string,
  args: readonly Value[],
  finish: (value: Value) => T,
): Promise<T> {
  const host = requirePort();
  const { text, bytes } = packValue(args);
  let answer: CallAnswer;
  try {
    answer = await host.begin(CALLS.SUBTLE, `${method}\n${text}`, bytes).answer;
  } catch (error) {
    throw operationError(error);
  }
  const value = readAnswer(answer) as readonly Value[];
  if (value.length === 1) return finish(value[0]);
  const name = value[0] as string;
  const message = value[1] as string;
  throw name === "TypeError" ? new TypeError(message) : new DOMException(message, name);
}
