// What a node costs while mixes of attacks run: memory of its processes, and open files. Looked at once a minute, when it
// has rested. What its processes keep when their garbage is collected is exact; what is resident moves by tens of
// megabytes (free pieces between others in allocators, pages that V8 has not returned), but misses nothing.

import type { TestNode } from "../node.ts";
import { descendants, descriptors, pssBytes } from "../processes.ts";
import { keptBytes } from "./kept-memory.ts";
import { trendOf, type Point } from "./trend.ts";

const MB = 1e6;
const MINUTE_MS = 60_000;
/** A young process grows whatever it does. */
const WARM_UP_MINUTES = 3;
/** Fewer say nothing: heaps of hosts grow in steps, and collectors come when they like. */
const LOOKS_MIN = 6;
/** Over ten minutes, of each that is judged. */
export const GROWTH_MB_MAX = 1;
/** Connections of clients that have just gone, and of processes that are being made. */
export const DESCRIPTORS_MORE_MAX = 16;

const MEASURES = [
  "supervisor keeps",
  "worker keeps",
  "supervisor",
  "workers",
  /** Jails and the bundler come and go: they cannot grow for long. */
  "others",
] as const;
type Measure = (typeof MEASURES)[number];

interface Look {
  readonly minute: number;
  readonly mb: Readonly<Record<Measure, number>>;
  readonly descriptors: number;
}

export class Footprint {
  readonly #node: TestNode;
  /** Since a worker was last replaced; its replacement begins anew. */
  #looks: Look[] = [];
  #begunMs: number = performance.now();

  constructor(node: TestNode) {
    this.#node = node;
  }

  /** A worker has come in place of another. */
  restart(): void {
    this.#looks = [];
    this.#begunMs = performance.now();
  }

  /** The node rests. One line. */
  async look(): Promise<string> {
    const minute = (performance.now() - this.#begunMs) / MINUTE_MS;
    const look = await lookAt(this.#node, minute);
    this.#looks.push(look);
    const parts = MEASURES.map((measure) => `${measure} ${look.mb[measure].toFixed(1)}`);
    return `${parts.join(", ")} MB, ${look.descriptors} files`;
  }

  /** One line, and what of it is too much. */
  verdict(): { readonly line: string; readonly complaints: readonly string[] } {
    const warm = this.#looks.filter(({ minute }) => minute >= WARM_UP_MINUTES);
    const [first, last] = [warm[0], warm.at(-1)];
    if (first === undefined || last === undefined || warm.length < LOOKS_MIN) {
      const line = `memory not judged: ${warm.length} looks since the last replacement and its warm-up`;
      return { line, complaints: [] };
    }
    const complaints: string[] = [];
    const parts = MEASURES.map((measure) => {
      const points = warm.map(({ minute, mb }) => ({ x: minute, y: mb[measure] }));
      const { text, grows } = growthOf(points);
      if (grows && measure !== "others") complaints.push(`memory grows: ${measure} ${text}`);
      return `${measure} ${text}`;
    });
    const files = `files ${first.descriptors} before, ${last.descriptors} after`;
    if (last.descriptors - first.descriptors > DESCRIPTORS_MORE_MAX) {
      complaints.push(`open ${files}`);
    }
    return { line: `memory per 10 minutes: ${parts.join(", ")}; ${files}`, complaints };
  }
}

function growthOf(points: readonly Point[]): { readonly text: string; readonly grows: boolean } {
  const trend = trendOf(points);
  if (trend === null) return { text: "unknown", grows: false };
  const growth = trend.slope * 10;
  const error = trend.standardError * 20;
  const text = `${growth.toFixed(1)} ± ${error.toFixed(1)} MB`;
  return { text, grows: growth - error > GROWTH_MB_MAX };
}

async function lookAt(node: TestNode, minute: number): Promise<Look> {
  const [serving = 0] = await node.serving();
  const mb: Record<Measure, number> = {
    "supervisor keeps": (await keptBytes(node.pid)) / MB,
    "worker keeps": (await keptBytes(serving)) / MB,
    supervisor: 0,
    workers: 0,
    others: 0,
  };
  let files = 0;
  const workers = new Set(node.workerProcesses());
  for (const pid of new Set([node.pid, ...descendants(node.pid), ...workers])) {
    try {
      mb[pid === node.pid ? "supervisor" : workers.has(pid) ? "workers" : "others"] +=
        pssBytes(pid) / MB;
      files += descriptors(pid);
    } catch {
      // It has ended.
    }
  }
  return { minute, mb, descriptors: files };
}
