// Every limit is a named constant: unit in the name, the reason beside it. What an endpoint may override
// stands in LIMITS with its default and ceiling; the rest is the platform's own.

export interface LimitInfo {
  readonly unit: "ms" | "MB" | "bytes" | "count";
  /** 1 where it is left out. */
  readonly min?: number;
  readonly default: number;
  readonly max: number;
  readonly why: string;
}

/** Per endpoint, overridable by `limits` in edge.jsonc and `--limit NAME=VALUE`, up to `max`. */
// oxfmt-ignore
export const LIMITS = {
  cpuMs: { unit: "ms", default: 200, max: 30_000, why: "CPU time of one request, all its runs together; more is taken from its neighbours." },
  cpuSoftMs: { unit: "ms", default: 50, max: 30_000, why: "CPU time after which ctx.signal aborts, so that a handler can come to an end by itself." },
  wallMs: { unit: "ms", default: 30_000, max: 3_600_000, why: "Time to the first byte of the reply; a client rarely waits longer." },
  streamMs: { unit: "ms", default: 300_000, max: 86_400_000, why: "Time from the first byte of a streamed reply to its last; each holds a place of `concurrency`." },
  memoryMb: { unit: "MB", min: 8, default: 128, max: 512, why: "Heap and ArrayBuffers of one isolate, and as much again for WebAssembly; what Workers code is written for." },
  subrequests: { unit: "count", default: 50, max: 1_000, why: "Stops fan-out loops; what Workers code is written for." },
  subrequestsAtOnce: { unit: "count", default: 16, max: 256, why: "Subrequests of one request on their way at once; further ones wait for their turn." },
  serviceCalls: { unit: "count", default: 1_000, max: 100_000, why: "Calls of services by one request; what Workers code is written for." },
  concurrency: { unit: "count", default: 1_000, max: 1_024, why: "Requests open in one isolate at once, background work included; each holds a part of its memory." },
  queue: { unit: "count", min: 0, default: 100, max: 10_000, why: "Requests that wait beyond that; a short burst passes, a long queue would only make everybody late." },
  bodyBytes: { unit: "bytes", default: 10_485_760, max: 1_073_741_824, why: "A request body a handler may read whole." },
  responseBytes: { unit: "bytes", default: 1_099_511_627_776, max: 1_099_511_627_776, why: "A reply's body; by default as good as none, since a streamed reply holds little memory." },
  socketBytes: { unit: "bytes", default: 1_048_576, max: 33_554_432, why: "One message of a WebSocket's client; what Workers code is written for." },
  timers: { unit: "count", default: 10_000, max: 10_000, why: "Timers of one isolate that wait; each costs the host one of its own." },
  logBytes: { unit: "bytes", default: 131_072, max: 1_048_576, why: "All log lines of one request, each as 32 at least; what comes after is dropped, with a mark." },
} as const;

export type LimitName = keyof typeof LIMITS;
const TABLE: Readonly<Record<LimitName, LimitInfo>> = LIMITS;

export type Limits = { readonly [name in LimitName]: number };
export type LimitOverrides = { readonly [name in LimitName]?: number };

/** `ceilings`: the operator's, below those of LIMITS. */
export function resolveLimits(overrides: LimitOverrides, ceilings: LimitOverrides = {}): Limits {
  const resolved = {} as Record<LimitName, number>;
  for (const name of Object.keys(TABLE) as LimitName[]) {
    const { default: usual, max } = TABLE[name];
    resolved[name] = Math.min(overrides[name] ?? usual, ceilings[name] ?? max, max);
  }
  return resolved;
}

/** What a value of it has to be: "a whole number of MB from 1 to 512". */
export function limitRange(name: LimitName, ceilings: LimitOverrides = {}): string {
  const { unit, min = 1, max } = TABLE[name];
  const of = unit === "count" ? "" : ` of ${unit}`;
  return `a whole number${of} from ${min} to ${Math.min(ceilings[name] ?? max, max)}`;
}

export function isInRange(name: LimitName, value: number, ceilings: LimitOverrides = {}): boolean {
  const { min = 1, max } = TABLE[name];
  return (
    Number.isSafeInteger(value) && value >= min && value <= Math.min(ceilings[name] ?? max, max)
  );
}

/** A bundle is parsed by every worker; 10 MiB is what the peers' paid plans take. */
export const BUNDLE_BYTES_MAX: number = 10 * 1024 * 1024;
/** Source map: not loaded on the request path, so it may be larger than its bundle. */
export const MAP_BYTES_MAX: number = 40 * 1024 * 1024;
/** Top-level code runs at each publish and cold start without a snapshot. */
export const STARTUP_CPU_MS_MAX = 1_000;
export const STARTUP_MEMORY_MB_MAX = 128;
/** uWebSockets.js reads all headers into one buffer; 64 KB is Node's and nginx's order of size. */
export const HEADER_BYTES_MAX: number = 64 * 1024;
/** Addresses beyond this are attacks or bugs; browsers stop at 32 KB or earlier. */
export const URL_BYTES_MAX: number = 16 * 1024;
/** How long requests of a replaced generation may run on before they are ended by force. */
export const DRAIN_TIMEOUT_MS_DEFAULT = 30_000;
/** One log line of a handler; longer is cut with a mark. */
export const LOG_LINE_BYTES_MAX: number = 8 * 1024;
/** What a line counts for at least within `logBytes`: an empty one costs as much to write. */
export const LOG_LINE_BYTES_MIN = 32;

/** What a line of so many characters counts for. */
export function logCost(length: number): number {
  if (length < LOG_LINE_BYTES_MIN) return LOG_LINE_BYTES_MIN;
  return length > LOG_LINE_BYTES_MAX ? LOG_LINE_BYTES_MAX : length;
}

export const ROUTES_PER_ENDPOINT_MAX = 100;
export const VARS_PER_ENDPOINT_MAX = 128;
export const VAR_BYTES_MAX: number = 64 * 1024;

/** A WebSocket on which nothing was sent for so long is closed; pings of ours count, so clients that live stay. */
export const SOCKET_IDLE_SECONDS = 120;
/** Messages that a client does not take, beyond what its endpoint may hold anyway (memoryMb). */
export const SOCKET_BACKLOG_BYTES_MAX: number = 512 * 1_024 * 1_024;
/** Messages that a handler has not taken. Each costs the host a record; more is a flood. */
export const SOCKET_MESSAGES_WAITING_MAX = 4_096;

/** One message of a WebSocket that goes through to an upstream; what uWS itself takes unless told otherwise. */
export const PROXIED_MESSAGE_BYTES_MAX: number = 16 * 1_024 * 1_024;
/** Messages that wait for an upstream which does not take them, of one client that cannot be told to wait. */
export const PROXIED_BACKLOG_BYTES_MAX: number = 4 * 1_024 * 1_024;

/** PBKDF2: iterations times blocks of output. OWASP asks for 600 000 iterations; this is half a second of a thread. */
export const PBKDF2_ROUNDS_MAX = 1_000_000;
/** Finding the primes of a longer one takes many seconds of a thread. */
export const RSA_GENERATED_BITS_MAX = 4_096;
/** One use of a longer private key takes a tenth of a second and more. */
export const RSA_BITS_MAX = 8_192;
/** One key as it is imported: the longest RSA key has 5 KB; for HMAC and passwords more is a mistake. */
export const CRYPTO_KEY_BYTES_MAX: number = 128 * 1_024;
/** What one operation of `crypto.subtle` takes or gives, digests and HMAC apart: Node copies it on the accepting thread. */
export const CRYPTO_DATA_BYTES_MAX: number = 16 * 1_024 * 1_024;
/** Operations of one isolate that wait for a thread; each costs the host about a kilobyte. */
export const CRYPTO_WAITING_MAX = 4_096;
/** Digest streams open in one isolate; each holds a hash of OpenSSL's. */
export const DIGEST_STREAMS_MAX = 256;
