import { defineConfig, type ViteUserConfig } from "vitest/config";
import { V8_FLAGS } from "./runtime/link/places.ts";

// The user's own settings must not decide what a test sees.
const leaking = Object.keys(process.env).filter((name) =>
  /^(EDGE_|NODE_COMPILE_CACHE$)/.test(name),
);
for (const name of leaking) delete process.env[name];

const config: ViteUserConfig = defineConfig({
  test: {
    globalSetup: "test/run-folder.ts",
    pool: "forks",
    execArgv: ["--no-node-snapshot", ...V8_FLAGS],
    // Tests start servers and burn CPU on purpose; more of them at once only measure each other. Two on two cores
    // leave a fifth of the time to waiting.
    maxWorkers: 3,
    include: ["**/*.test.ts"],
    exclude: ["**/node_modules/**", "dist/**", "bench/peers/**", ".edge/**"],
    // A test that hangs fails. The longest honest one takes ten seconds, and more on a busy machine.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
    env: { NO_COLOR: "1", TZ: "UTC" },
    unstubEnvs: true,
    restoreMocks: true,
  },
});

export default config;
