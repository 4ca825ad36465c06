// From starting a process to its first right answer of hello. Islet starts on a data folder that has the
// endpoint already, as after any restart; the peers read their bundle.

import { join } from "node:path";
import { HELLO } from "./apps.ts";
import { ask } from "./contender.ts";
import type { Contender } from "./contender.ts";
import { publishByCli, startNode } from "./islet.ts";
import { shuffled, spread } from "../statistics.ts";
import type { Spread } from "../statistics.ts";

export interface StartResult {
  readonly contender: string;
  readonly firstAnswerMs: Spread;
  readonly error?: string;
}

/** A contender that starts where another run of it has published. */
function restarted(folder: string): Contender {
  const data = join(folder, "start");
  let published = false;
  return {
    name: "islet",
    async start(app) {
      if (!published) {
        const node = await startNode({ data });
        await publishByCli(node, { entry: app.entry, name: app.name, route: app.route });
        await node.stop();
        published = true;
      }
      const startedAt = performance.now();
      const node = await startNode({ data });
      const { status, text } = await ask(node.port, app.call);
      const readyMs = performance.now() - startedAt;
      if (status !== 200) {
        await node.stop();
        throw new Error(`status ${status}: ${text.slice(0, 200)}`);
      }
      return { ...node, name: "islet", readyMs };
    },
  };
}

export async function measureStarts(
  peers: readonly Contender[],
  { folder, runs }: { folder: string; runs: number },
): Promise<StartResult[]> {
  const contenders = [restarted(folder), ...peers];
  const times = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  const errors = new Map<string, string>();
  for (let run = 0; run < runs; run++) {
    for (const contender of shuffled(contenders)) {
      if (errors.has(contender.name)) continue;
      try {
        const server = await contender.start(HELLO);
        times.get(contender.name)?.push(server.readyMs);
        await server.stop();
      } catch (error) {
        errors.set(contender.name, error instanceof Error ? error.message : String(error));
      }
    }
  }
  return contenders.map(({ name }) => {
    const error = errors.get(name);
    const found = times.get(name) ?? [];
    const none: Spread = { median: Number.NaN, min: Number.NaN, max: Number.NaN };
    return {
      contender: name,
      firstAnswerMs: found.length === 0 ? none : spread(found),
      ...(error === undefined ? {} : { error }),
    };
  });
}
