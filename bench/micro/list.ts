/** Environment variable: a file to write the rows to, besides the table on stdout. */
export const SERIAL_FILE = "ISLET_BENCH_FILE";

/** What `npm run bench -- --only micro` runs; each also runs by itself. */
export const MICRO: readonly string[] = [
  "floor/isolate-call.ts",
  "floor/registry-get.ts",
  "micro/route.ts",
  "micro/front.ts",
  "micro/bridge.ts",
  "micro/guest.ts",
  "micro/database.ts",
  "micro/cache.ts",
  "micro/limits.ts",
];
