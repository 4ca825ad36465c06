// Nodes that run as another user, which only root can start.

import { spawnSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { startNode, type TestNode } from "../node.ts";
import { temporary } from "../temporary.ts";

interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export const isRoot: boolean = process.getuid?.() === 0;
export const NOBODY: User = { name: "nobody", ...idsOf("nobody") };
export const HANDLER: string = 'export default { fetch: () => new Response("answered") };';

export function idsOf(name: string): { uid: number; gid: number } {
  const id = (what: string): number =>
    Number(spawnSync("id", [what, name], { encoding: "utf8" }).stdout);
  return { uid: id("-u"), gid: id("-g") };
}

/** A temporary folder that every user may pass through. */
export function openFolder(): Disposable & { readonly path: string } {
  const folder = temporary();
  chmodSync(folder.path, 0o755);
  return folder;
}

export function startAs(user: string, data: string, ...args: string[]): Promise<TestNode> {
  return startNode({ standby: true, data, args: ["--user", user, ...args] });
}
