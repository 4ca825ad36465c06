// What a cordon costs: the same handler shared and dedicated on one node, asked in turns over raw connections that
// send the next request when the answer to the last is there.

import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { HELLO } from "./apps.ts";
import { publishBody } from "./cold.ts";
import { publishByApi, startNode } from "./islet.ts";
import { quantile, spread } from "../statistics.ts";
import type { Spread } from "../statistics.ts";

const KINDS = ["shared", "dedicated"] as const;
type Kind = (typeof KINDS)[number];

export interface CordonRow {
  readonly connections: number;
  readonly p50Us: { readonly [kind in Kind]: Spread };
  readonly p99Us: { readonly [kind in Kind]: Spread };
  readonly perSecond: { readonly [kind in Kind]: Spread };
  /** Median of the rounds' own differences: the machine's ups and downs cancel out. */
  readonly addedP50Us: number;
}

interface Round {
  readonly p50Us: number;
  readonly p99Us: number;
  readonly perSecond: number;
}

export async function measureCordon(
  folder: string,
  plan: { readonly rounds: number; readonly seconds: number; readonly warmSeconds: number },
): Promise<CordonRow[]> {
  const node = await startNode({ data: join(folder, "cordon") });
  try {
    for (const kind of KINDS) {
      const body = await publishBody(HELLO, kind, `/${kind}`);
      await publishByApi(node, { ...body, isolation: kind });
    }
    const rows: CordonRow[] = [];
    for (const connections of [1, 32]) {
      for (const kind of KINDS)
        await load(node.port, { kind, connections, ms: plan.warmSeconds * 1_000 });
      const rounds: { readonly [kind in Kind]: Round[] } = { shared: [], dedicated: [] };
      for (let i = 0; i < plan.rounds * 2; i++) {
        for (const kind of i % 2 === 0 ? KINDS : KINDS.toReversed()) {
          rounds[kind].push(await load(node.port, { kind, connections, ms: plan.seconds * 500 }));
        }
      }
      rows.push(rowOf(connections, rounds));
    }
    return rows;
  } finally {
    await node.stop();
  }
}

function rowOf(
  connections: number,
  rounds: { readonly [kind in Kind]: readonly Round[] },
): CordonRow {
  const of = (name: keyof Round): { readonly [kind in Kind]: Spread } => ({
    shared: spread(rounds.shared.map((round) => round[name])),
    dedicated: spread(rounds.dedicated.map((round) => round[name])),
  });
  const added = rounds.dedicated.map(({ p50Us }, at) => p50Us - (rounds.shared[at]?.p50Us ?? 0));
  return {
    connections,
    p50Us: of("p50Us"),
    p99Us: of("p99Us"),
    perSecond: of("perSecond"),
    addedP50Us: spread(added).median,
  };
}

async function load(
  port: number,
  {
    kind,
    connections,
    ms,
  }: { readonly kind: Kind; readonly connections: number; readonly ms: number },
): Promise<Round> {
  const times: number[] = [];
  const begun = performance.now();
  const one = async (): Promise<void> => {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.setNoDelay(true);
    await askInTurn(socket, { kind, until: begun + ms, times });
    socket.destroy();
  };
  await Promise.all(Array.from({ length: connections }, one));
  const seconds = (performance.now() - begun) / 1_000;
  return {
    p50Us: quantile(times, 0.5) * 1_000,
    p99Us: quantile(times, 0.99) * 1_000,
    perSecond: times.length / seconds,
  };
}

function askInTurn(
  socket: Socket,
  { kind, until, times }: { readonly kind: Kind; readonly until: number; readonly times: number[] },
): Promise<void> {
  const request = `GET /${kind} HTTP/1.1\r\nhost: bench\r\n\r\n`;
  return new Promise((resolve, reject) => {
    let sentAt = 0;
    const ask = (): void => {
      sentAt = performance.now();
      if (sentAt >= until) resolve();
      else socket.write(request);
    };
    socket.on("error", reject);
    socket.on("data", (data) => {
      const text = data.toString("latin1");
      // A small answer comes in one piece.
      if (!text.startsWith("HTTP/1.1 200") || !text.includes("Hello World")) {
        reject(new Error(`wrong answer: ${text.slice(0, 200)}`));
        return;
      }
      times.push(performance.now() - sentAt);
      ask();
    });
    ask();
  });
}
