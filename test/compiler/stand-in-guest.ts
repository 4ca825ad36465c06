// Stands in for the guest script where a test is about the compiler alone: the same constant, and just enough
// of a platform to be judged by.

let result: unknown;
let booted = false;
let randomReads = 0;
let timeReads = 0;
let fetches = 0;

const NativeDate = Date;
const random = Math.random;
Math.random = () => {
  if (!booted) randomReads++;
  return random();
};
NativeDate.now = () => {
  if (!booted) timeReads++;
  return 0;
};
Reflect.set(globalThis, "fetch", () => {
  if (!booted) fetches++;
  return Promise.reject(new TypeError("There is no network here"));
});

export function register(factory: () => unknown): void {
  result = factory();
}

export function preview(): void {}

export function inspect(): string {
  const handler: unknown =
    typeof result === "object" && result !== null ? Reflect.get(result, "default") : undefined;
  const reads = [...(timeReads > 0 ? ["time"] : []), ...(randomReads > 0 ? ["randomness"] : [])];
  const io = fetches > 0 ? ["fetch"] : [];
  return JSON.stringify({ handler: kindOf(handler), methods: [], io, reads });
}

export function boot(): () => void {
  booted = true;
  return () => undefined;
}

function kindOf(handler: unknown): string {
  if (typeof handler === "function") return "function";
  if (typeof handler !== "object" || handler === null) return "none";
  return typeof Reflect.get(handler, "fetch") === "function" ? "fetch" : "none";
}
