// Waiting for a promise of the bridge. What it resolves to must stay out of author code's reach, and both
// `await` and `then` look at the promise's `constructor`, which an author may have replaced by a getter on
// Promise.prototype: hence a prototype of its own. Not a property: as soon as any promise has a `constructor` itself,
// V8 looks for one at every `then` and `await` of the isolate, the author's and the streams' as well.

const NativePromise = Promise;
const then = Promise.prototype.then;
const apply = Reflect.apply;
const define = Object.defineProperty;
const freeze = Object.freeze;
const setPrototypeOf = Object.setPrototypeOf;

/** Its promises are of the usual kind, for `then` too. */
const untouched = freeze({ __proto__: null, constructor: undefined });

/** `promise` is the platform's own, and nobody else's from now on. */
export function settle<T>(
  promise: Promise<T>,
  onValue: (value: T) => void,
  onError: (reason: unknown) => void,
): void {
  setPrototypeOf(promise, untouched);
  apply(then, promise, [onValue, onError]);
}

/**
 * A promise that `await` takes as it is: its `constructor` is found below Promise.prototype, so nothing of the author's
 * is asked. By a prototype of its own, because a property of each one's own costs as much as the rest of a call.
 */
class Awaitable<T> extends NativePromise<T> {
  static {
    const prototype: object = this.prototype;
    define(prototype, "constructor", {
      __proto__: null,
      value: NativePromise,
    } as PropertyDescriptor);
    freeze(prototype);
  }
}

export function createAwaitable<T>(
  run: (resolve: (value: T) => void, reject: (reason: unknown) => void) => void,
): Promise<T> {
  return new Awaitable<T>(run);
}
