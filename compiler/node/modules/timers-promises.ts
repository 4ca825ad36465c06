// node:timers/promises.

interface Options {
  readonly signal?: AbortSignal;
}

function wait<T>(ms: number, value: T, { signal }: Options = {}): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(aborted(signal));
      return;
    }
    const stop = (): void => {
      globalThis.clearTimeout(timer);
      reject(aborted(signal));
    };
    const timer = globalThis.setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve(value);
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

function aborted(signal: AbortSignal | undefined): Error {
  const error = new Error("The operation was aborted", { cause: signal?.reason });
  return Object.assign(error, { name: "AbortError", code: "ABORT_ERR" });
}

export function setTimeout<T>(ms = 1, value?: T, options?: Options): Promise<T | undefined> {
  return wait(ms, value, options);
}

export function setImmediate<T>(value?: T, options?: Options): Promise<T | undefined> {
  return wait(0, value, options);
}

export async function* setInterval<T>(
  ms = 1,
  value?: T,
  options?: Options,
): AsyncGenerator<T | undefined> {
  for (;;) yield await wait(ms, value, options);
}

export const scheduler: {
  wait(ms: number, options?: Options): Promise<undefined>;
  yield(): Promise<undefined>;
} = {
  wait: (ms, options) => wait(ms, undefined, options),
  yield: () => wait(0, undefined),
};
