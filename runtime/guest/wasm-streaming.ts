// WebAssembly.compileStreaming and instantiateStreaming: modules out of responses. Nothing is compiled before the last
// byte is there, since compiling happens within a slice (wasm.ts).

import { isResponse, type Response, takeBody } from "./response.ts";

const define = Reflect.defineProperty;

type Instantiate = (source: unknown, imports: unknown) => Promise<object>;

export function replaceStreaming(
  wasm: object,
  compile: (bytes: unknown) => object,
  instantiate: Instantiate,
): void {
  const members = {
    async compileStreaming(source: unknown): Promise<object> {
      return compile(await bytesOf(source));
    },
    async instantiateStreaming(source: unknown, imports: unknown = undefined): Promise<object> {
      return instantiate(await bytesOf(source), imports);
    },
  };
  const shown = { writable: true, enumerable: true, configurable: true };
  define(wasm, "compileStreaming", { ...shown, value: members.compileStreaming });
  define(wasm, "instantiateStreaming", { ...shown, value: members.instantiateStreaming });
}

async function bytesOf(source: unknown): Promise<Uint8Array> {
  const response: unknown = await source;
  if (!isResponse(response)) throw new TypeError("WebAssembly: a Response was expected");
  check(response);
  return takeBody(response);
}

function check(response: Response): void {
  const type = (response.headers.get("content-type") ?? "").toLowerCase();
  if (type !== "application/wasm") {
    throw new TypeError("WebAssembly: the response's content type must be application/wasm");
  }
  if (!response.ok) throw new TypeError(`WebAssembly: the response has status ${response.status}`);
}
