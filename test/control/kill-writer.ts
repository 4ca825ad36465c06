// The process that kill.test.ts kills: appends for ever and says on stdout what was acknowledged.

import { flushCompileCache } from "node:module";
import { argv } from "node:process";
import { writeSync } from "node:fs";
import { openDataFolder } from "../../control/data-folder.ts";
import { openRegistry } from "../../control/registry/registry.ts";
import { deployment, endpoint, version } from "./samples.ts";

// Whoever is killed keeps nothing at its end of what it has compiled.
flushCompileCache();

const [, , path = ""] = argv;
const folder = await openDataFolder(path);
const limits = { changesKept: 40, bytesKept: 10_000_000 };
const registry = await openRegistry({
  dir: `${folder.path}/registry`,
  clock: { now: () => Date.now() },
  limits,
});

for (;;) {
  const name = `e${registry.revision() % 7}`;
  const generation = registry.generation(name) + 1;
  const id = `v${generation}`;
  const revision = await registry.append([
    { op: "endpoint.put", endpoint: endpoint(name, { draft: "d".repeat(generation * 50) }) },
    { op: "version.put", version: version(name, id) },
    { op: "deployment.put", deployment: deployment(name, generation, id) },
  ]);
  // Written synchronously: what the reader of the pipe has seen was durable before.
  writeSync(1, `${revision}\n`);
}
