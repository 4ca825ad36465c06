// How much of the processors others used: a silence of the neighbour says nothing about a node that was not let run.

import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { descendants } from "../../processes.ts";

/** What /proc counts in. */
const TICK_MS = 10;

export class MachineShare {
  readonly #pid: number;
  readonly #begunMs: number = performance.now();
  readonly #all: number = busyMs();
  readonly #ours: number;

  /** `pid`: of the node's supervisor. */
  constructor(pid: number) {
    this.#pid = pid;
    this.#ours = oursMs(pid);
  }

  /** From 0 to 1, of all processors, since this was made. */
  othersShare(): number {
    const others = busyMs() - this.#all - (oursMs(this.#pid) - this.#ours);
    return Math.max(0, others / ((performance.now() - this.#begunMs) * cpus().length));
  }
}

function busyMs(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (
    /^cpu +(.*)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1] ?? ""
  )
    .split(" ")
    .map(Number);
  return (user + nice + system + irq + softirq + steal) * TICK_MS;
}

/** The node with all processes it has or had, and this one. */
function oursMs(pid: number): number {
  let sum = 0;
  for (const one of [process.pid, pid, ...descendants(pid)]) {
    try {
      const stat = readFileSync(`/proc/${one}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      for (const at of [11, 12, 13, 14]) sum += Number(fields[at]) * TICK_MS;
    } catch {
      // It has ended, and counts with who waited for it.
    }
  }
  return sum;
}
