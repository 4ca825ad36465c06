// The bridge's part in calls of `crypto`, without an isolate: the guest's end and the host's, joined.

import type { CallService } from "../../runtime/isolate/call.ts";
import type { CallAnswer, Port } from "../../runtime/guest/port.ts";
import { EdgeError } from "../../sdk/errors.ts";

export function createCryptoPort(service: CallService): Port {
  function ask(name: string, args: string, bytes: Uint8Array | null): Promise<CallAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<CallAnswer>();
    const known = service.call(name, {
      id: 1,
      owner: 1,
      args,
      bytes: (bytes?.buffer as ArrayBuffer | undefined) ?? null,
      trail: () => "",
      isOwned: () => true,
      renew: () => undefined,
      note: () => undefined,
      hold: () => true,
      keep: () => () => undefined,
      ok: (payload) => resolve({ payload, buffers: [] }),
      okBytes: (buffer, rest = "") => resolve({ payload: `0\n${rest}`, buffers: [buffer] }),
      fail: (code, message) => reject(new EdgeError(code, message)),
    });
    if (!known) throw new Error(`Not a call of crypto's: ${name}`);
    return promise;
  }

  return {
    now: () => 0,
    monotonic: () => 0,
    fetch: () => Promise.reject(new Error("not here")),
    begin: (name, args, bytes) => ({ id: 0, answer: ask(name, args, bytes) }),
    waitUntil: () => false,
    exports: () => null,
    cancel: () => undefined,
    async bytesCall(name, args, bytes) {
      const { buffers } = await ask(name, args, bytes);
      return buffers[0] ?? new ArrayBuffer(0);
    },
    setTimer: () => undefined,
    timersMax: 10,
    memoryBytes: 2 ** 27,
    clearTimer: () => undefined,
    log: () => undefined,
  };
}
