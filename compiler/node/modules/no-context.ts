// In the place of node:async_hooks for modules that only offer a resource to others (node:events): importing them must
// not make a bundle one that follows contexts.

type Callable = (this: unknown, ...args: unknown[]) => unknown;

export class AsyncResource {
  runInAsyncScope(run: Callable, self?: unknown, ...args: unknown[]): unknown {
    return Reflect.apply(run, self, args);
  }

  asyncId(): number {
    return 0;
  }

  triggerAsyncId(): number {
    return 0;
  }

  emitDestroy(): this {
    return this;
  }
}
