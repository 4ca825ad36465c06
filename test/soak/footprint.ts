// What a node costs while mixes of attacks run: memory of its processes, and open files. Looked at once a minute, when it
// has rested. What its processes keep when their garbage is collected is exact; what is resident moves by tens of
// megabytes (free pieces between others in allocators, pages that V8 has not returned), but misses nothing. Each process is
// judged by itself, and without the files it maps: what a worker has says nothing of the one that takes its place, and
// how much of Node's own code a process is charged with depends on how many others run.

import type { TestNode } from "../node.ts";
import { memoryBytesOf } from "../../runtime/supervisor/health.ts";
import { descriptors } from "../processes.ts";
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

const MEASURES = ["keeps", "resident"] as const;

interface Look {
  readonly minute: number;
  readonly keeps: number;
  readonly resident: number;
  readonly descriptors: number;
}

/** Of one process, from when it was first seen to serve. */
interface Series {
  readonly name: string;
  readonly begunMs: number;
  readonly looks: Look[];
}

export class Footprint {
  readonly #node: TestNode;
  readonly #series = new Map<number, Series>();

  constructor(node: TestNode) {
    this.#node = node;
  }

  /** The node rests. One line: of the supervisor and of the workers that serve. */
  async look(): Promise<string> {
    const parts: string[] = [];
    for (const pid of [this.#node.pid, ...(await this.#node.serving())]) {
      const { name, looks, begunMs } = this.#seriesOf(pid);
      const minute = (performance.now() - begunMs) / MINUTE_MS;
      const keeps = (await keptBytes(pid)) / MB;
      const look = {
        minute,
        keeps,
        resident: (memoryBytesOf(pid) ?? 0) / MB,
        descriptors: descriptors(pid),
      };
      looks.push(look);
      const memory = MEASURES.map((measure) => `${measure} ${look[measure].toFixed(1)}`);
      parts.push(`${name} ${memory.join(", ")} MB, ${look.descriptors} files`);
    }
    parts.push(`${this.#node.workerProcesses().length} worker processes`);
    return parts.join("; ");
  }

  /** One line, and what of it is too much. */
  verdict(): { readonly line: string; readonly complaints: readonly string[] } {
    const complaints: string[] = [];
    const parts: string[] = [];
    for (const { name, looks } of this.#series.values()) {
      const warm = looks.filter(({ minute }) => minute >= WARM_UP_MINUTES);
      const [first, last] = [warm[0], warm.at(-1)];
      if (first === undefined || last === undefined || warm.length < LOOKS_MIN) continue;
      for (const measure of MEASURES) {
        const { text, grows } = growthOf(
          warm.map((look) => ({ x: look.minute, y: look[measure] })),
        );
        if (grows) complaints.push(`memory grows: ${name} ${measure} ${text}`);
        parts.push(`${name} ${measure} ${text}`);
      }
      const files = `${name} files ${first.descriptors} before, ${last.descriptors} after`;
      if (last.descriptors - first.descriptors > DESCRIPTORS_MORE_MAX) {
        complaints.push(`open ${files}`);
      }
      parts.push(files);
    }
    const said = parts.length > 0 ? parts.join(", ") : "not judged, no process was there for long";
    return { line: `memory per 10 minutes: ${said}`, complaints };
  }

  #seriesOf(pid: number): Series {
    const known = this.#series.get(pid);
    if (known !== undefined) return known;
    const name = pid === this.#node.pid ? "supervisor" : `worker ${pid}`;
    const series: Series = { name, begunMs: performance.now(), looks: [] };
    this.#series.set(pid, series);
    return series;
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
