// The repository's own rules, as data. test/tidy.test.ts applies them and shows for each that it can fail.
// An exception carries its reason, and an exception that is no longer needed is itself a fault: lists only shrink.

/** Who may import whom. Everything may import itself; tests, bin and bench may import anything. */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  sdk: [],
  services: ["sdk"],
  compiler: ["sdk"],
  control: ["sdk"],
  "runtime/http": ["sdk"],
  "runtime/gateway": ["sdk"],
  "runtime/isolate": ["sdk"],
  "runtime/guest": ["sdk"],
  "runtime/observe": ["sdk"],
  // What supervisor and workers say to each other.
  "runtime/link": ["sdk"],
  "admin-api": ["control", "compiler", "sdk"],
  cli: ["compiler", "sdk"],
  // runtime/supervisor, runtime/worker and runtime/jail: the composition roots join the parts.
  root: [
    "sdk",
    "services",
    "compiler",
    "control",
    "admin-api",
    "runtime/http",
    "runtime/gateway",
    "runtime/isolate",
    "runtime/observe",
    "runtime/link",
  ],
};

/** What a layer may load by `import()` beyond that: the command line starts nodes, and checks their files. */
export const DYNAMIC: Readonly<Record<string, readonly string[]>> = {
  cli: ["root", "runtime/link", "control"],
};

/** The file, or one per layer, that a dependency with an inside worth hiding is imported by. */
export const DOORS: Readonly<Record<string, readonly string[]>> = {
  "isolated-vm": ["runtime/isolate/engine.ts"],
  "uWebSockets.js": ["runtime/http/uws.ts"],
  // The registry's, that of the embedded services, and of what workers' gateways share.
  lmdb: ["control/registry/lmdb.ts", "services/lmdb.ts", "runtime/gateway/shared/store.ts"],
  jose: ["runtime/gateway/policies/auth/jwt.ts"],
  ajv: [
    "runtime/gateway/policies/content/schema-check.ts",
    "control/gateway/policies/validation.ts",
  ],
  esbuild: ["compiler/esbuild.ts"],
  yaml: ["control/gateway/yaml.ts"],
  postgres: ["services/database/postgres.ts"],
  ioredis: ["services/redis.ts"],
  memcache: ["services/cache/memcached.ts"],
  "@aws-sdk/client-s3": ["services/storage/s3/client.ts"],
  "@aws-sdk/s3-request-presigner": ["services/storage/s3/client.ts"],
  ws: [
    "runtime/http/sockets/node-socket.ts",
    "runtime/gateway/upstream/sockets/dial.ts",
    "runtime/isolate/egress/sockets/dial.ts",
    "runtime/gateway/upstream/sockets/remote-socket.ts",
  ],
  nodemailer: ["services/email/nodemailer.ts"],
};

export interface Ban {
  readonly name: string;
  readonly pattern: RegExp;
  readonly instead: string;
  /** Also in comments; otherwise they are left out. */
  readonly comments?: boolean;
  /** Paths, or folders ending in "/", where the text may stand. */
  readonly allowed: readonly string[];
}

const TESTS = ["test/", "bench/"];
/** Node's modules as handlers' bundles get them: author code, to the platform. */
const GUEST_MODULES = ["compiler/node/modules/"];

export const BANS: readonly Ban[] = [
  {
    name: "console",
    pattern: /(?<![\w."'`])console\.(?!ts")/,
    instead: "the log port",
    allowed: ["cli/", "runtime/guest/console.ts", ...GUEST_MODULES, ...TESTS],
  },
  {
    name: "environment",
    pattern: /(?<![\w."'`])process\.env\b/,
    instead: "an option, read in runtime/supervisor/environment.ts",
    allowed: [
      "cli/",
      "runtime/supervisor/environment.ts",
      // The PATH, in which a Postgres may be.
      "services/database/postgres/embedded/programs.ts",
      "vitest.config.ts",
      ...TESTS,
    ],
  },
  {
    name: "plain error",
    pattern: /\bnew Error\(/,
    instead: "EdgeError with a code, or assert for bugs",
    allowed: ["runtime/guest/", ...GUEST_MODULES, ...TESTS],
  },
  {
    name: "unfinished work",
    pattern: /\b(?:TO[D]O|FIX[M]E)\b/,
    instead: "finishing it, or saying plainly what is not done",
    comments: true,
    allowed: [],
  },
  {
    name: "any",
    pattern: /\bas any\b|<any>|: any\b/,
    instead: "unknown and a parse function",
    allowed: ["test/tidy/"],
  },
  {
    name: "compiler silenced",
    pattern: /@ts-(?:ignore|nocheck|expect-error)\b/,
    instead: "a type that is true",
    comments: true,
    // A type test expects errors.
    allowed: ["test/types/"],
  },
];

export const LINES_PER_FILE_MAX = 400;
/** A suite that several backends run is one list of cases, and better whole. */
export const LINES_PER_TEST_MAX = 900;
/** oxfmt keeps code at 100; this is for what it cannot break: comments, strings, table rows. */
export const COLUMNS_MAX = 120;
/** Tests hold handlers and expected texts as they are. */
export const COLUMNS_PER_TEST_MAX = 250;
export const FILES_PER_FOLDER_MAX = 15;

/** Larger folders, with how large they may be and why. */
export const FOLDER_EXCEPTIONS: Readonly<Record<string, { files: number; why: string }>> = {
  "runtime/guest": { files: 60, why: "One file per class of the web platform." },
  "runtime/guest/services": { files: 20, why: "One file per kind of binding, and D1's classes." },
  "runtime/http": { files: 16, why: "Two listeners, and what both of them share." },
};

/** Files whose lines may be longer, and why. */
export const WIDTH_EXCEPTIONS: Readonly<Record<string, string>> = {
  "sdk/errors.ts": "The table of codes has one row a line.",
  "sdk/limits.ts": "The table of limits has one row a line.",
};

/** Codes that no test refers to yet, and why. */
export const UNTESTED_CODES: Readonly<Record<string, string>> = {
  REQUEST_TIMEOUT: "Met only in a running node.",
  STARTUP_CRASH: "Met only in a running node.",
};
