// The list of globals in docs/handlers.md is what a handler on a real node finds beside the language itself.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { startNode } from "../node.ts";

const PAGE: string = join(import.meta.dirname, "../../docs/handlers.md");
const NAMES = "Object.getOwnPropertyNames(globalThis)";
const HANDLER = `export default { fetch: () => Response.json(${NAMES}) };`;

/** Names in the list, those of members left out. */
function documented(): string[] {
  const section = /## Globals\n([^]*?)\nWhat differs/.exec(readFileSync(PAGE, "utf8"))?.[1] ?? "";
  return Array.from(section.matchAll(/`(\w+)`/g), ([, name = ""]) => name).filter(
    (name) => name !== "Intl",
  );
}

test("docs/handlers.md lists every global that handlers have, and no other", async () => {
  await using node = await startNode();
  await node.publish("names", HANDLER);
  const { text } = await node.get("/names");
  const language = new Set(runInNewContext(NAMES) as string[]);
  const found = (JSON.parse(text) as string[]).filter((name) => !language.has(name));
  // Members of `crypto` name it; the others name themselves. V8 brings a console of its own.
  const listed = new Set([...documented(), "crypto"]);
  expect(found.filter((name) => !listed.has(name))).toEqual([]);
  const real = new Set([...found, "console"]);
  expect([...listed].filter((name) => !real.has(name))).toEqual([]);
});
