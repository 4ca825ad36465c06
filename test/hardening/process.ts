// What the kernel says of the processes of a node.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { TestNode } from "../node.ts";
import { descendants } from "../processes.ts";

export interface Seen {
  readonly pid: number;
  readonly kind: "worker" | "jail" | "other";
  readonly command: string;
  readonly environment: readonly string[];
  /** Number → where it leads, as "socket:[1]" or a path. */
  readonly files: ReadonlyMap<number, string>;
  readonly status: (field: string) => string;
  /** Whether the descriptor can be written to. */
  readonly writes: (fd: number) => boolean;
}

export function see(pid: number): Seen {
  const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const files = new Map<number, string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      files.set(Number(fd), readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      // Closed meanwhile.
    }
  }
  return {
    pid,
    kind: /runtime\/worker\.\w+/.test(command)
      ? "worker"
      : /runtime\/jail\.\w+/.test(command)
        ? "jail"
        : "other",
    command,
    environment: readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").filter(Boolean),
    files,
    status: (field) => new RegExp(`^${field}:[ \\t]*(.*)$`, "m").exec(status)?.[1]?.trim() ?? "",
    writes(fd) {
      const text = readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8");
      return (Number.parseInt(/^flags:\s+(\d+)$/m.exec(text)?.[1] ?? "", 8) & 3) !== 0;
    },
  };
}

/** Every process of the node but the supervisor. A child that is being replaced may be gone meanwhile. */
export function seeChildren(node: TestNode): Seen[] {
  return descendants(node.pid).flatMap((pid) => {
    try {
      return see(pid);
    } catch {
      return [];
    }
  });
}

/** Folder → its files and folders, and theirs. */
export function treeOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? [path, ...treeOf(path)] : [path];
  });
}
