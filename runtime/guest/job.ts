// Waiting for a promise of the bridge. What it resolves to must stay out of author code's reach, and both
// `await` and `then` look at the promise's `constructor`, which an author may have replaced by a getter on
// Promise.prototype: hence the property of its own.

const NativePromise = Promise;
const then = Promise.prototype.then;
const apply = Reflect.apply;
const define = Object.defineProperty;

export function settle<T>(
  promise: Promise<T>,
  onValue: (value: T) => void,
  onError: (reason: unknown) => void,
): void {
  const target: object = promise;
  define(target, "constructor", { __proto__: null, value: undefined } as PropertyDescriptor);
  apply(then, promise, [onValue, onError]);
}

/** A promise that `await` takes as it is: with a constructor of its own, nothing of the author's is asked. */
export function createAwaitable<T>(
  run: (resolve: (value: T) => void, reject: (reason: unknown) => void) => void,
): Promise<T> {
  const promise = new NativePromise<T>(run);
  const target: object = promise;
  define(target, "constructor", { __proto__: null, value: NativePromise } as PropertyDescriptor);
  return promise;
}
