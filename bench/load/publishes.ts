// How long a publish of the Hono app takes on a node with its default number of workers, by the command line
// and by the API. Every publish is of new code (nothing of the one before can be reused), and the first request
// after it must be answered by exactly that code.

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { bundle } from "../../compiler/bundle.ts";
import { HONO } from "./apps.ts";
import { bundleFields, publishBody } from "./cold.ts";
import { ask } from "./contender.ts";
import { publishByApi, publishByCli, startNode } from "./islet.ts";
import type { IsletNode, Published } from "./islet.ts";
import { spread } from "../statistics.ts";
import type { Spread } from "../statistics.ts";

const MODULES = join(import.meta.dirname, "..", "..", "node_modules");
const MARK = "release-0";

export interface PublishResultRow {
  readonly by: "command line" | "API";
  readonly publishes: number;
  /** As whoever published saw it: the whole command, or the whole call. */
  readonly wallMs: Spread;
  /** `timingsMs.total`: bundling, checks, snapshot, every worker switched over. */
  readonly totalMs: Spread;
  /** Median per stage. */
  readonly stagesMs: Readonly<Record<string, number>>;
  /** The first request to the new code. */
  readonly firstAnswerMs: Spread;
}

export async function measurePublishes(folder: string, count: number): Promise<PublishResultRow[]> {
  const data = join(folder, "publish");
  const node = await startNode({ data, workers: availableParallelism() });
  try {
    return [await byCli(node, folder, count), await byApi(node, count)];
  } finally {
    await node.stop();
  }
}

async function byCli(node: IsletNode, folder: string, count: number): Promise<PublishResultRow> {
  const project = join(folder, "project");
  mkdirSync(project, { recursive: true });
  symlinkSync(MODULES, join(project, "node_modules"));
  const entry = join(project, "shop.ts");
  const source = readFileSync(HONO.entry, "utf8");
  return series(node, { by: "command line", count }, (release) => {
    writeFileSync(entry, source.replace(MARK, release));
    return publishByCli(node, { entry, name: "shop", route: HONO.route });
  });
}

async function byApi(node: IsletNode, count: number): Promise<PublishResultRow> {
  const { code } = await bundle({ entry: HONO.entry, cwd: join(HONO.entry, "..") });
  const body = await publishBody(HONO, "shop", HONO.route);
  return series(node, { by: "API", count }, (release) =>
    publishByApi(node, { ...body, map: null, ...bundleFields(code.replaceAll(MARK, release)) }),
  );
}

async function series(
  node: IsletNode,
  { by, count }: { by: PublishResultRow["by"]; count: number },
  publish: (release: string) => Promise<Published>,
): Promise<PublishResultRow> {
  const published: Published[] = [];
  const firstAnswers: number[] = [];
  // The first one only warms up: file caches, the node's own compiled code.
  for (let run = 0; run <= count; run++) {
    const release = `release-${by.replaceAll(" ", "-")}-${run}`;
    const result = await publish(release);
    const answer = await ask(node.port, HONO.call);
    if (!answer.text.includes(`"${release}"`)) {
      throw new Error(`published ${release}, but the answer is ${answer.text.slice(0, 200)}`);
    }
    if (run === 0) continue;
    published.push(result);
    firstAnswers.push(answer.ms);
  }
  const stages = Object.keys(published[0]?.timingsMs ?? {}).filter((name) => name !== "total");
  const of = (name: string): number[] => published.map(({ timingsMs }) => timingsMs[name] ?? 0);
  return {
    by,
    publishes: count,
    wallMs: spread(published.map(({ wallMs }) => wallMs)),
    totalMs: spread(of("total")),
    stagesMs: Object.fromEntries(stages.map((name) => [name, spread(of(name)).median])),
    firstAnswerMs: spread(firstAnswers),
  };
}
