import { defineConfig, type UserWorkspaceConfig, type ViteUserConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { ISOLATE_FLAGS } from "./runtime/link/places.ts";

// The user's own settings must not decide what a test sees.
const leaking = Object.keys(process.env).filter((name) =>
  /^(EDGE_|NODE_COMPILE_CACHE$)/.test(name),
);
for (const name of leaking) delete process.env[name];

const SOURCES = "{admin-api,cli,compiler,control,runtime,sdk,services}";
const GUEST = "runtime/guest/**/*.test.ts";
/** They begin where the isolate's state does: before anybody has told the modules what a boot tells them. */
const GUEST_UNBOOTED = "runtime/guest/{crypto,random}.test.ts";

/** Those below that make isolates in their own process, measure that, or load an addon in many ways. */
const ALONE = "cache-isolate|database-postgres|storage-addresses|uws-door";
/** What starts nodes and servers and talks to them: when they have ended, nothing is left of it. */
const CLIENTS = [
  `test/{admin,apps,cli,compiler,control,docs,e2e,fault,gateway,hardening,http,services}/!(${ALONE}).test.ts`,
];

const EXCLUDED = ["**/node_modules/**", "bench/peers/**"];

/** Of every project, and of the long tests (test/soak/long-tests.ts). */
export const EACH: NonNullable<UserWorkspaceConfig["test"]> = {
  pool: "forks",
  execArgv: [...ISOLATE_FLAGS],
  exclude: EXCLUDED,
  // A test that hangs fails. The longest honest one takes ten seconds, on a busy machine ten times as long.
  testTimeout: 120_000,
  hookTimeout: 120_000,
  // A second by default, in which a busy machine may not get to what is waited for.
  expect: { poll: { timeout: 30_000 } },
  env: { NO_COLOR: "1", TZ: "UTC" },
  unstubEnvs: true,
  restoreMocks: true,
};

/** Many seconds each. One that begins last is waited for by processors with nothing else to do. */
const LONGEST = /\/test\/(?:docs|e2e|fault|hardening|hostile|package)\//;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean => LONGEST.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

const config: ViteUserConfig = defineConfig({
  test: {
    globalSetup: "test/run-folder.ts",
    sequence: { sequencer: LongestFirst },
    // Tests start servers and burn CPU on purpose; more of them at once only measure each other. Two on two cores
    // leave a fifth of the time to waiting.
    maxWorkers: 3,
    teardownTimeout: 10_000,
    projects: [
      // Logic beside its source leaves nothing behind, so a process may run one file after the other.
      {
        test: {
          ...EACH,
          name: "units",
          include: [`${SOURCES}/**/*.test.ts`],
          exclude: [...EXCLUDED, GUEST],
          isolate: false,
        },
      },
      // So do the platform's modules, and loading them is most of what their tests cost.
      {
        test: {
          ...EACH,
          name: "guest",
          include: [GUEST],
          exclude: [...EXCLUDED, GUEST_UNBOOTED],
          isolate: false,
        },
      },
      // Half a second each that a process of its own would take.
      { test: { ...EACH, name: "clients", include: CLIENTS, isolate: false } },
      // What makes isolates has a process for each file.
      {
        test: {
          ...EACH,
          name: "parts",
          include: ["{bench,test}/**/*.test.ts", GUEST_UNBOOTED],
          exclude: [...EXCLUDED, ...CLIENTS],
        },
      },
    ],
  },
});

export default config;
