// DigestStream, as in Workers: a stream of bytes that ends in their digest. The host hashes chunk by chunk.

import { CALLS } from "../../../sdk/bridge.ts";
import { bytesOf } from "../buffer-source.ts";
import { TextEncoder } from "../encoding.ts";
import { exposeInterface } from "../interface.ts";
import { WritableStream } from "../streams.ts";
import { normalize } from "./algorithms.ts";
import { askBytes } from "./host.ts";

const encoder = new TextEncoder();
const encode = encoder.encode.bind(encoder);
let lastId = 0;

function bytesIn(chunk: unknown): Uint8Array {
  if (typeof chunk === "string") return encode(chunk);
  const bytes = bytesOf(chunk);
  if (bytes === null) throw new TypeError("A DigestStream takes bytes and strings");
  // The call gives its buffer away.
  return new Uint8Array(bytes);
}

export class DigestStream extends WritableStream<unknown> {
  readonly #digest: Promise<ArrayBuffer>;
  #written = 0;

  constructor(algorithm: unknown) {
    const { name } = normalize("digest", algorithm);
    const id = ++lastId;
    const { promise, resolve, reject } = Promise.withResolvers<ArrayBuffer>();
    // Nobody need wait for it.
    promise.catch(() => undefined);
    let written = (_bytes: number): void => undefined;
    const push = async (bytes: Uint8Array): Promise<void> => {
      await askBytes(CALLS.DIGEST_PUSH, `${id}\n${name}`, bytes);
    };
    super({
      async write(chunk) {
        try {
          const bytes = bytesIn(chunk);
          written(bytes.byteLength);
          await push(bytes);
        } catch (error) {
          reject(error);
          throw error;
        }
      },
      async close() {
        try {
          // Opens the stream if nothing has.
          await push(new Uint8Array(0));
          resolve(await askBytes(CALLS.DIGEST_END, `${id}\ndigest`, new Uint8Array(0)));
        } catch (error) {
          reject(error);
          throw error;
        }
      },
      async abort(reason) {
        reject(reason);
        await askBytes(CALLS.DIGEST_END, `${id}\ndrop`, new Uint8Array(0));
      },
    });
    this.#digest = promise;
    written = (bytes) => (this.#written += bytes);
  }

  get digest(): Promise<ArrayBuffer> {
    return this.#digest;
  }

  get bytesWritten(): bigint {
    return BigInt(this.#written);
  }
}
exposeInterface(DigestStream, "DigestStream");
