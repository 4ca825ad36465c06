// Imports of Node's built-in modules get an answer that names who imports them: usually a package deep below
// the author's own file. Costs a second build, on failure only.

import { builtinModules } from "node:module";
import { runEsbuild } from "./esbuild.ts";
import type { BuildOptions, Built, Message } from "./esbuild.ts";

const UNRESOLVED = /^Could not resolve "(?:node:)?([^"]+)"$/;
const BUILTINS: ReadonlySet<string> = new Set(builtinModules);

/** The same messages, those about built-ins rewritten. */
export async function explainBuiltins(
  options: BuildOptions,
  errors: readonly Message[],
  reason: (name: string) => string,
): Promise<readonly Message[]> {
  if (!errors.some((error) => builtinOf(error) !== null)) return errors;
  const external = [...BUILTINS].flatMap((name) => [name, `node:${name}`]);
  const plugins = options.plugins ?? [];
  const outcome = await runEsbuild({ ...options, format: "esm", external, plugins });
  const importers = outcome.ok ? importersOf(outcome.built) : new Map<string, string>();
  return errors.map((error) => {
    const name = builtinOf(error);
    return name === null ? error : { ...error, text: explain(name, error, { importers, reason }) };
  });
}

function builtinOf(error: Message): string | null {
  const name = UNRESOLVED.exec(error.text)?.[1];
  return name !== undefined && BUILTINS.has(name) ? name : null;
}

function explain(
  name: string,
  error: Message,
  {
    importers,
    reason,
  }: {
    readonly importers: ReadonlyMap<string, string>;
    readonly reason: (name: string) => string;
  },
): string {
  const chain: string[] = [];
  let file = error.location?.file;
  while (file !== undefined && !chain.includes(file)) {
    chain.unshift(file);
    file = importers.get(file);
  }
  const where = chain.length > 1 ? ` (imported by ${chain.join(" > ")})` : "";
  return `"node:${name}" is a Node.js built-in module, ${reason(name)}${where}`;
}

/** Who first imported each file, walking from the entry in order of imports. */
function importersOf(built: Built): ReadonlyMap<string, string> {
  const importers = new Map<string, string>();
  const entry = Object.values(built.metafile.outputs).find(
    (output) => output.entryPoint,
  )?.entryPoint;
  const queue = entry === undefined ? [] : [entry];
  for (const file of queue) {
    for (const { path, external } of built.metafile.inputs[file]?.imports ?? []) {
      if (external === true || importers.has(path) || path === entry) continue;
      importers.set(path, file);
      queue.push(path);
    }
  }
  return importers;
}
