// What arguments, configuration and ports have against a node's first start, found before its folder is made: a start
// that is refused leaves nothing. Where a node has run, the start itself finds it (node.ts) while its workers load.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { openKey } from "../../../control/secrets/key.ts";
import type { ServeOptions } from "../../../sdk/serve.ts";
import { probePort } from "../../http/port.ts";
import { WORKER_MAIN } from "../../link/places.ts";
import { openConfinement, type Account } from "../rights/confinement.ts";
import { tryReadyFile } from "./ready-file.ts";

interface Beforehand {
  readonly account: Account | null;
  /** Of the environment that the supervisor was started in. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** Throws what `serveIn` would throw. */
export async function checkBeforehand(options: ServeOptions, before: Beforehand): Promise<void> {
  if (!existsSync(join(options.data, "run"))) await checkFirst(options, before);
  // Last, because it may make a folder.
  if (options.readyFile !== undefined) tryReadyFile(options.readyFile);
}

async function checkFirst(
  options: ServeOptions,
  { account, variables }: Beforehand,
): Promise<void> {
  const { data, host, port, adminHost, adminPort, secretKey, secretKeyFile } = options;
  if (secretKey !== undefined || secretKeyFile !== undefined) {
    openKey({
      data,
      isNeeded: false,
      ...(secretKey === undefined ? {} : { key: secretKey }),
      ...(secretKeyFile === undefined ? {} : { keyFile: secretKeyFile }),
    });
  }
  const tlsPort = await tlsPortOf(options, variables);
  const ports = tlsPort === null ? [port] : [port, tlsPort];
  for (const one of ports) await probePort({ host, port: one });
  await probePort({ host: adminHost, port: adminPort });
  if (account === null) return;
  const lowest = Math.min(...ports.filter((one) => one !== 0));
  openConfinement({ account, port: lowest }).assertReadable([process.execPath, WORKER_MAIN]);
}

/** null: without TLS. */
async function tlsPortOf(
  options: ServeOptions,
  variables: Beforehand["variables"],
): Promise<number | null> {
  const { config, tlsPort, tlsCert, tlsKey, tlsSelfSigned } = options;
  const isGiven = [config, tlsPort, tlsCert, tlsKey].some((given) => given !== undefined);
  if (!isGiven && !tlsSelfSigned) return null;
  // Takes longer to load than all the rest that is needed here.
  const { checkConfiguration } = await import("./configuration.ts");
  return checkConfiguration(options, variables);
}
