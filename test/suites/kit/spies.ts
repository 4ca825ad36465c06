// `vi.fn` and `vi.spyOn`: functions that remember how they were called.

type Work = (this: unknown, ...args: unknown[]) => unknown;

interface Ended {
  readonly type: "return" | "throw";
  readonly value: unknown;
}

export interface Calls {
  readonly calls: unknown[][];
  readonly results: Ended[];
  readonly instances: unknown[];
}

export interface Spy extends Work {
  readonly mock: Calls;
  mockClear(): Spy;
  mockReset(): Spy;
  mockRestore(): void;
  mockImplementation(work: Work): Spy;
  mockImplementationOnce(work: Work): Spy;
  mockReturnValue(value: unknown): Spy;
  mockReturnValueOnce(value: unknown): Spy;
  mockResolvedValue(value: unknown): Spy;
  mockRejectedValue(reason: unknown): Spy;
  getMockName(): string;
}

const spies = new Set<Spy>();

export function isSpy(value: unknown): value is Spy {
  return typeof value === "function" && spies.has(value as Spy);
}

export function clearAllMocks(): void {
  for (const spy of spies) spy.mockClear();
}

export function resetAllMocks(): void {
  for (const spy of spies) spy.mockReset();
}

export function restoreAllMocks(): void {
  for (const spy of spies) spy.mockRestore();
}

export function fn(original?: Work, restore: () => void = () => {}): Spy {
  let work: Work | undefined = original;
  let next: Work[] = [];
  const mock: Calls = { calls: [], results: [], instances: [] };
  const call = function (this: unknown, ...args: unknown[]): unknown {
    mock.calls.push(args);
    mock.instances.push(this);
    try {
      const done = next.shift() ?? work;
      const value =
        new.target === undefined ? done?.apply(this, args) : construct(done, args, new.target);
      mock.results.push({ type: "return", value });
      return value;
    } catch (error) {
      mock.results.push({ type: "throw", value: error });
      throw error;
    }
  };
  const set = (changed: Work | undefined): Spy => {
    work = changed;
    return spy;
  };
  const spy: Spy = Object.assign(call, {
    mock,
    mockClear: () => {
      for (const list of [mock.calls, mock.results, mock.instances]) list.length = 0;
      return spy;
    },
    mockReset: () => {
      next = [];
      return set(original).mockClear();
    },
    mockRestore: () => {
      spy.mockReset();
      restore();
    },
    mockImplementation: set,
    mockImplementationOnce: (once: Work) => {
      next.push(once);
      return spy;
    },
    mockReturnValue: (value: unknown) => set(() => value),
    mockReturnValueOnce: (value: unknown) => spy.mockImplementationOnce(() => value),
    mockResolvedValue: (value: unknown) => set(async () => value),
    mockRejectedValue: (reason: unknown) =>
      set(async () => {
        throw reason;
      }),
    getMockName: () => "vi.fn()",
  });
  Object.defineProperty(spy, "name", { value: original?.name ?? "Mock", configurable: true });
  spies.add(spy);
  return spy;
}

/** What `new` of a spy makes: the original's, if it can be constructed. */
function construct(work: Work | undefined, args: unknown[], target: Function): unknown {
  if (work === undefined) return undefined;
  try {
    return Reflect.construct(work, args, target);
  } catch (error) {
    if (!(error instanceof TypeError) || !error.message.includes("constructor")) throw error;
    return work.apply(undefined, args);
  }
}

export function spyOn(object: object, key: string, access?: "get" | "set"): Spy {
  const own = Object.getOwnPropertyDescriptor(object, key);
  const restore = (): void => {
    if (own === undefined) Reflect.deleteProperty(object, key);
    else Object.defineProperty(object, key, own);
  };
  if (access !== undefined) {
    const spy = fn(own?.[access] as Work | undefined, restore);
    Object.defineProperty(object, key, { configurable: true, [access]: spy });
    return spy;
  }
  const found: unknown = Reflect.get(object, key);
  if (isSpy(found)) return found;
  const spy = fn(found as Work, restore);
  const value = { value: spy, configurable: true, writable: true, enumerable: own?.enumerable };
  Object.defineProperty(object, key, value as PropertyDescriptor);
  return spy;
}
