// Puts the apps on a node: each file of handlers/ is an app of one package, built as `edge publish` does it.

import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join, parse } from "node:path";
import { bundle } from "../../compiler/bundle.ts";
import type { JsonObject } from "../../sdk/errors.ts";
import type { BindingRequest } from "../../sdk/publish.ts";
import type { TestNode } from "../node.ts";

const HANDLERS = join(import.meta.dirname, "handlers");
const BINDINGS: readonly BindingRequest[] = [
  { kind: "database", name: "DB", scope: "apps" },
  { kind: "kv", name: "SITE", scope: "apps" },
];

/** Each at /NAME of its file. Rejects with what the first one that cannot be published is told. */
export async function publishApps(node: TestNode, vars: JsonObject): Promise<void> {
  await Promise.all(readdirSync(HANDLERS).map((file) => publishApp(node, file, vars)));
}

async function publishApp(node: TestNode, file: string, vars: JsonObject): Promise<void> {
  const { name } = parse(file);
  const { format, code, map } = await bundle({ entry: file, cwd: HANDLERS });
  const codeSha256 = createHash("sha256").update(code).digest("hex");
  const built = { format, code, codeSha256, map };
  const publish = { name, routes: [], vars, limits: {}, bindings: BINDINGS, ...built };
  const answer = await node.api("POST", "/api/publish", publish);
  if (!answer.ok) throw new Error(`${name}: ${answer.code} ${String(answer.error)}`);
}
