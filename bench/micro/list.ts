/** Environment variable: a file to write the rows to, besides the table on stdout. */
export const SERIAL_FILE = "ISLET_BENCH_FILE";

/** As a file writes them. */
export interface MicroResult {
  readonly file: string;
  readonly tasks: readonly {
    readonly name: string;
    readonly medianNs: number;
    /** Of calls of services: a hundred at once, all together. */
    readonly atOnceNs?: number;
  }[];
}

/** What `npm run bench -- --only micro` runs; each also runs by itself. */
export const MICRO: readonly string[] = [
  "floor/isolate-call.ts",
  "floor/registry-get.ts",
  "micro/route.ts",
  "micro/front.ts",
  "micro/bridge.ts",
  "micro/guest.ts",
  "micro/platform.ts",
  "micro/database.ts",
  "micro/cache.ts",
  "micro/limits.ts",
];
