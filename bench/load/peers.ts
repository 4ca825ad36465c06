// The peers, each as its own documentation starts it, one process and one thread of JavaScript. All run the
// same bundle of the same app; only Node's plain `http` has hello and echo written for it.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { bundleForPeers, HELLO, NEIGHBOUR } from "./apps.ts";
import type { App } from "./apps.ts";
import { untilAnswer } from "./contender.ts";
import type { Contender } from "./contender.ts";
import type { StreetContender } from "./fairness.ts";
import { freePort, start } from "./processes.ts";

const FOLDER = join(import.meta.dirname, "..", "peers");
const MODULES = join(FOLDER, "node_modules");
const SERVERS = join(FOLDER, "servers");
const FLOOR = join(import.meta.dirname, "..", "floor", "bare-uws.ts");
const INSTALL_MS_MAX = 300_000;
const ERROR_LINES_SHOWN = 4;

/** Installs what the lockfile of bench/peers names. Returns why not, "" when all is there. */
export function installPeers(): string {
  const stamp = join(MODULES, ".installed");
  const lock = readFileSync(join(FOLDER, "package-lock.json"), "utf8");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return "";
  console.log("Installing the peers (npm ci in bench/peers) …");
  try {
    execFileSync("npm", ["ci", "--no-audit", "--no-fund"], {
      cwd: FOLDER,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: INSTALL_MS_MAX,
    });
    writeFileSync(stamp, lock);
    return "";
  } catch (error) {
    const { stderr } = error as { stderr?: Buffer };
    const lines = (stderr?.toString() ?? String(error)).split("\n").filter((line) => line !== "");
    const errors = lines.filter((line) => /^npm error ./.test(line)).slice(0, ERROR_LINES_SHOWN);
    return ["npm ci failed in bench/peers", ...(errors.length > 0 ? errors : lines)].join("\n  ");
  }
}

interface Launch {
  readonly bundle: string;
  readonly port: number;
  readonly app: App;
  readonly folder: string;
}

function processContender(
  name: string,
  folder: string,
  command: (launch: Launch) => readonly string[],
): Contender {
  return {
    name,
    async start(app) {
      const bundle = await bundleForPeers(app, folder);
      const port = await freePort();
      const line = command({ bundle, port, app, folder });
      const startedAt = performance.now();
      const started = start(line, { cwd: FOLDER, env: { NODE_ENV: "production" } });
      const readyMs = await untilAnswer(started, { port, call: app.call, startedAt });
      return { name, pid: started.pid, port, readyMs, stop: () => started.stop() };
    },
  };
}

/** The program itself: the command beside it may be a script that starts it, and would be measured too. */
function program(candidates: readonly string[]): string {
  const found = candidates.map((path) => join(MODULES, path)).find((path) => existsSync(path));
  if (found === undefined) throw new Error("not installed");
  return found;
}

const ARCH = process.arch === "arm64" ? "arm64" : "x64";
const WORKERD = [
  `@cloudflare/workerd-linux-${ARCH === "x64" ? "64" : "arm64"}/bin/workerd`,
  ".bin/workerd",
];
const DENO = [`@deno/linux-${ARCH}-glibc/deno`, ".bin/deno"];
const BUN = [`@oven/bun-linux-${ARCH === "x64" ? "x64" : "aarch64"}/bin/bun`, ".bin/bun"];

/** Good and bad as workers of one process; it has no limits, so each burner ends by itself after `loops`. */
export function workerdStreet(folder: string, burners: number, loops: number): StreetContender {
  return {
    name: "workerd",
    async open() {
      const good = basename(await bundleForPeers(HELLO, folder));
      const bad = basename(await bundleForPeers(NEIGHBOUR, folder));
      const bundles = [good, ...Array<string>(burners + 1).fill(bad)];
      const ports = await Promise.all(bundles.map(freePort));
      const config = join(folder, "street.capnp");
      const each = (line: (at: number) => string): string => [...bundles.keys()].map(line).join("");
      const services = each((at) => `(name = "w${at}", worker = .w${at}),`);
      const sockets = each(
        (at) =>
          `(name = "s${at}", address = "127.0.0.1:${ports[at]}", http = (), service = "w${at}"),`,
      );
      const workers = each(
        (at) => `const w${at} :Workerd.Worker = (compatibilityDate = "2026-11-01",
          modules = [(name = "main", esModule = embed "${bundles[at]}")]);\n`,
      );
      writeFileSync(
        config,
        `using Workerd = import "/workerd/workerd.capnp";
         const config :Workerd.Config = (services = [${services}], sockets = [${sockets}]);
         ${workers}`,
      );
      const [port = 0, turncoat = 0, ...others] = ports;
      const startedAt = performance.now();
      const started = start([program(WORKERD), "serve", config], { cwd: FOLDER });
      await untilAnswer(started, { port, call: HELLO.call, startedAt });
      const query = `?loops=${loops}`;
      return {
        good: { port, path: HELLO.call.path },
        burners: others.map((other) => ({ port: other, path: "", query })),
        turncoat: { port: turncoat, path: "", query },
        stuck: null,
        stop: () => started.stop(),
      };
    },
  };
}

function workerdConfig({ bundle, port, app, folder }: Launch): string {
  const path = join(folder, `${app.name}.capnp`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    path,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [ (name = "main", worker = .main) ],
  sockets = [ (name = "http", address = "127.0.0.1:${port}", http = (), service = "main") ],
);
const main :Workerd.Worker = (
  modules = [ (name = "main", esModule = embed "${basename(bundle)}") ],
  compatibilityDate = "2026-11-01",
);
`,
  );
  return path;
}

export function bareContender(folder: string): Contender {
  return processContender("bare uws", folder, ({ port, app }) => [
    process.execPath,
    FLOOR,
    app.name,
    `${port}`,
  ]);
}

export function peerContenders(folder: string): readonly Contender[] {
  return [
    processContender("workerd", folder, (launch) => [
      program(WORKERD),
      "serve",
      workerdConfig(launch),
    ]),
    processContender("node http", folder, ({ bundle, port, app }) => [
      process.execPath,
      join(SERVERS, "node.mjs"),
      bundle,
      `${port}`,
      app.name,
    ]),
    processContender("deno", folder, ({ bundle, port }) => [
      program(DENO),
      "run",
      "--allow-net",
      "--allow-read",
      "--no-lock",
      "--no-config",
      join(SERVERS, "deno.mjs"),
      bundle,
      `${port}`,
    ]),
    processContender("bun", folder, ({ bundle, port }) => [
      program(BUN),
      join(SERVERS, "bun.mjs"),
      bundle,
      `${port}`,
    ]),
  ];
}
