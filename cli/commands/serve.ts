import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { EdgeError } from "../../sdk/errors.ts";
import { DRAIN_TIMEOUT_MS_DEFAULT } from "../../sdk/limits.ts";
import type { ServeOptions } from "../../sdk/serve.ts";
import { parseDuration, parseSize } from "../../sdk/gateway/units.ts";
import type { Command, OptionSpec } from "../command.ts";
import { parseCount, parseLimitFlags, parsePort } from "../parse.ts";
import { longName } from "../values.ts";
import type { Values } from "../values.ts";

const FLAGS: readonly OptionSpec[] = [
  {
    flags: "--port <number>",
    summary: "port to answer requests on, 0 for a free one",
    fallback: "9080",
  },
  { flags: "--host <address>", summary: "address to listen on", fallback: "0.0.0.0" },
  {
    flags: "--tls-port <number>",
    summary: "port to answer TLS on, 0 for a free one; where there is a certificate",
    fallback: "9443",
  },
  {
    flags: "--tls-cert <file>",
    summary: "certificate and its chain, in PEM, instead of tls in --config",
  },
  { flags: "--tls-key <file>", summary: "key of --tls-cert, in PEM" },
  {
    flags: "--tls-self-signed",
    summary: "TLS with a certificate that the node makes, for development",
  },
  {
    flags: "--admin-port <number>",
    summary: "port of the admin API, 0 for a free one",
    fallback: "9081",
  },
  { flags: "--admin-host <address>", summary: "address of the admin API", fallback: "127.0.0.1" },
  { flags: "--data <folder>", summary: "where the node keeps everything", fallback: ".edge" },
  { flags: "--workers <number>", summary: "worker processes", fallback: "one per core" },
  {
    flags: "--listener <kind>",
    summary: "HTTP server: the fast one or Node's own",
    choices: ["uws", "node"],
    fallback: "uws",
  },
  {
    flags: "--config <file>",
    summary:
      "configuration of gateway and services in YAML, read again when it changes and at SIGHUP",
  },
  {
    flags: "--drain-timeout <duration>",
    summary: "how long replaced code may finish its requests",
    fallback: "30s",
  },
  {
    flags: "--default-trust <trust>",
    summary: "trust in handlers that name none",
    choices: ["own", "untrusted"],
    fallback: "own",
  },
  {
    flags: "--limit-max <name=value>",
    summary: "ceiling that no endpoint's limit may exceed, as in memoryMb=256",
    many: true,
  },
  {
    flags: "--worker-memory <size>",
    summary: "memory at which a worker is replaced, as in 1GiB",
    fallback: "an equal part of three quarters of all",
  },
  {
    flags: "--isolate-memory <size>",
    summary: "memory of a worker's isolates beyond which those nobody uses go, as in 256MiB",
    fallback: "half of --worker-memory",
  },
  { flags: "--allow-private-egress", summary: "handlers may fetch private addresses" },
  {
    flags: "--egress-may-be-private",
    summary: "endpoints may name private hosts that they want to fetch (egress)",
  },
  {
    flags: "--user <name>",
    summary: "when started as root: system user that runs workers and checks code",
  },
  {
    flags: "--outcome-header",
    summary: "replies in a failed handler's place say why in x-edge-outcome",
  },
  {
    flags: "--secret-key-file <file>",
    summary:
      "key that seals secrets, 32 bytes as base64 or hex; or the key itself in EDGE_SECRET_KEY",
    fallback: "secret-key in --data",
  },
  {
    flags: "--no-standby",
    summary: "start no process before it is needed: less memory, slower publishes and replacements",
  },
  { flags: "--no-demo", summary: "no demo endpoint at /hello" },
  { flags: "--dev", summary: "show browsers why a handler failed; never on a public node" },
  { flags: "--ready-file <file>", summary: "JSON file to write once the node answers" },
];

const OPTIONS: readonly OptionSpec[] = FLAGS.map((spec) => ({
  ...spec,
  env: `EDGE_${longName(spec).replaceAll("-", "_").toUpperCase()}`,
}));

export const serve: Command = {
  name: "serve",
  summary: "run a node: gateway, workers, admin API",
  options: OPTIONS,
  examples: [
    "edge serve",
    "edge serve --port 8080 --workers 4 --data /var/lib/edge",
    "EDGE_PORT=8080 edge serve --limit-max memoryMb=256 --default-trust untrusted",
  ],
  run: async ({ values, cwd, output, env }) => {
    const secretKey = env["EDGE_SECRET_KEY"] ?? "";
    const given = readServeOptions(values, cwd);
    // No flag: other users of the machine see command lines.
    const options = secretKey === "" ? given : { ...given, secretKey };
    if (process.argv.some((text) => /^--token(=|$)/.test(text))) {
      output.warn("--token can be seen by every user of this machine; use EDGE_ADMIN_TOKEN");
      // From here on it cannot: the title takes the place of the command line.
      process.title = "edge serve";
    }
    // Only here: no other command needs the node's own code.
    const supervisor = await import("../../runtime/supervisor.ts");
    if (output.json) {
      const { RELEASE: release } = await import("../../runtime/link/places.ts");
      await supervisor.serve(options, { release, print: (line) => output.log(line) });
    } else {
      await supervisor.serve(options);
    }
    return { data: { stopped: true }, text: "" };
  },
};

export function readServeOptions(values: Values, cwd: string): ServeOptions {
  const port = (name: string, fallback: number): number => {
    const given = values.text(name);
    return given === undefined ? fallback : parsePort(given, `--${name}`);
  };
  const text = (name: string): string | undefined => {
    const given = values.text(name);
    if (given !== "") return given;
    throw new EdgeError("USAGE", `--${name} must not be empty`);
  };
  const path = (name: string): string | undefined => {
    const given = text(name);
    return given === undefined ? undefined : resolve(cwd, given);
  };
  const config = path("config");
  const user = text("user");
  const readyFile = path("ready-file");
  const adminToken = text("token");
  const secretKeyFile = path("secret-key-file");
  const tlsPort = values.text("tls-port");
  const tlsCert = path("tls-cert");
  const tlsKey = path("tls-key");
  return {
    port: port("port", 9_080),
    host: text("host") ?? "0.0.0.0",
    adminPort: port("admin-port", 9_081),
    adminHost: text("admin-host") ?? "127.0.0.1",
    data: path("data") ?? resolve(cwd, ".edge"),
    workers: readWorkers(values.text("workers")),
    listener: values.text("listener") === "node" ? "node" : "uws",
    drainTimeoutMs: readDrainTimeout(values.text("drain-timeout")),
    defaultTrust: values.text("default-trust") === "untrusted" ? "untrusted" : "own",
    ...readWorkerMemory(values.text("worker-memory"), values.text("isolate-memory")),
    limitMax: parseLimitFlags(values.list("limit-max"), "--limit-max"),
    allowPrivateEgress: values.flag("allow-private-egress"),
    egressMayBePrivate: values.flag("egress-may-be-private"),
    outcomeHeader: values.flag("outcome-header"),
    standby: !values.flag("no-standby"),
    demo: !values.flag("no-demo"),
    dev: values.flag("dev"),
    tlsSelfSigned: values.flag("tls-self-signed"),
    ...(tlsPort === undefined ? {} : { tlsPort: parsePort(tlsPort, "--tls-port") }),
    ...(tlsCert === undefined ? {} : { tlsCert }),
    ...(tlsKey === undefined ? {} : { tlsKey }),
    ...(config === undefined ? {} : { config }),
    ...(user === undefined ? {} : { user }),
    ...(readyFile === undefined ? {} : { readyFile }),
    ...(adminToken === undefined ? {} : { adminToken }),
    ...(secretKeyFile === undefined ? {} : { secretKeyFile }),
  };
}

/** More processes than this on one machine is a typing error. */
const WORKERS_MAX = 1_024;

function readWorkers(text: string | undefined): number {
  if (text === undefined) return availableParallelism();
  const workers = parseCount(text);
  if (workers !== null && workers >= 1 && workers <= WORKERS_MAX) return workers;
  throw new EdgeError("USAGE", `--workers is a number from 1 to ${WORKERS_MAX}, not "${text}"`);
}

/** A worker without any handler has some 60 MB. */
const WORKER_MEMORY_BYTES_MIN: number = 128 * 1024 * 1024;

/** A few isolates without much in them. */
const ISOLATE_MEMORY_BYTES_MIN: number = 16 * 1024 * 1024;

function readWorkerMemory(
  worker: string | undefined,
  isolates: string | undefined,
): { workerMemoryBytes?: number; isolateMemoryBytes?: number } {
  const workerMemoryBytes = readSize(worker, {
    flag: "--worker-memory",
    least: "128MiB",
    bytesMin: WORKER_MEMORY_BYTES_MIN,
  });
  const isolateMemoryBytes = readSize(isolates, {
    flag: "--isolate-memory",
    least: "16MiB",
    bytesMin: ISOLATE_MEMORY_BYTES_MIN,
  });
  if ((isolateMemoryBytes ?? 0) > (workerMemoryBytes ?? Number.POSITIVE_INFINITY)) {
    const message = `--isolate-memory is part of --worker-memory, ${worker}; ${isolates} is more`;
    throw new EdgeError("USAGE", message);
  }
  return {
    ...(workerMemoryBytes === undefined ? {} : { workerMemoryBytes }),
    ...(isolateMemoryBytes === undefined ? {} : { isolateMemoryBytes }),
  };
}

function readSize(
  text: string | undefined,
  { flag, least, bytesMin }: { flag: string; least: string; bytesMin: number },
): number | undefined {
  if (text === undefined) return undefined;
  const bytes = parseSize(text);
  if (bytes !== null && bytes >= bytesMin) return bytes;
  throw new EdgeError("USAGE", `${flag} is a size of ${least} or more, not "${text}"`);
}

function readDrainTimeout(text: string | undefined): number {
  if (text === undefined) return DRAIN_TIMEOUT_MS_DEFAULT;
  const timeoutMs = parseDuration(text);
  if (timeoutMs !== null) return timeoutMs;
  throw new EdgeError("USAGE", `--drain-timeout is a duration such as 30s, not "${text}"`);
}
