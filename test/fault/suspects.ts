// Code that holds its thread, and whom a node holds to be to blame.

import { readWitness, witnessPath } from "../../runtime/link/witness.ts";
import type { PublishRequest } from "../../sdk/publish.ts";
import type { TestNode } from "../node.ts";

export const SPINNER: string = `export default { fetch() { for (;;); } };`;
export const LONG: Pick<PublishRequest, "limits"> = { limits: { cpuMs: 30_000, wallMs: 60_000 } };

export function field(data: unknown, name: string): unknown {
  return Reflect.get(Object(data), name);
}

/** As in "bad: crash". */
export async function strikes(node: TestNode, ...names: string[]): Promise<string[]> {
  const all: string[] = [];
  for (const name of names) {
    const { data } = await node.api("GET", `/api/endpoints/${name}`);
    const list = field(data, "strikes");
    if (!Array.isArray(list)) continue;
    for (const one of list) all.push(`${name}: ${String(field(one, "reason"))}`);
  }
  return all;
}

/** Of the newest restart. */
export async function culprit(node: TestNode): Promise<unknown> {
  const { data } = await node.api("GET", "/api/stats");
  const recent = field(field(data, "worker_restarts"), "recent");
  return Array.isArray(recent) ? recent[0] : null;
}

/** Whose code the witness of worker `number` names now. */
export function named(node: TestNode, number: number): string {
  const { main = [], pool = [] } = readWitness(witnessPath(node.data, number)) ?? {};
  return [...main, ...pool].map(({ endpoint }) => endpoint).join(" ");
}
