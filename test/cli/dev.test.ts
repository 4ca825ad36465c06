// `edge dev` as a process, with its real node: what its port answers after each change of a file.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { environment, STARTED } from "../node.ts";
import { makeFolder } from "./harness.ts";

function handler(text: string): string {
  return `import { word } from "./word.ts";\nexport default { fetch(_, env) { return new Response(word + "${text}" + (env.TAIL ?? "")); } };`;
}

test("dev serves every change, keeps what works beside what does not, and ends cleanly", async () => {
  using folder = makeFolder({
    "index.ts": handler("1"),
    "word.ts": `export const word = "a";`,
    "edge.jsonc": `{ "name": "thing", "routes": ["/*"] }`,
  });
  const child = spawn(STARTED, ["dev", folder.path, "--port", "0"], {
    env: environment({}),
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(child, "exit");
  // As with `| tee dev.log`: no file of the bundle's, but while that is broken any file may be.
  const log = join(folder.path, "dev.log");
  child.stderr.on("data", (chunk: Buffer) => appendFileSync(log, chunk));
  const lines: string[] = [];
  const reader = createInterface({ input: child.stderr });
  const iterator = reader[Symbol.asyncIterator]();
  const lineWith = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const { value, done } = await iterator.next();
      if (done === true)
        throw new Error(`No line matches ${String(pattern)}:\n${lines.join("\n")}`);
      lines.push(value);
      if (pattern.test(value)) return value;
    }
  };
  try {
    const url = /http:\S+/.exec(await lineWith(/^Serving /))?.[0] ?? "";
    const answer = async (): Promise<string> => await (await fetch(`${url}/x`)).text();
    await lineWith(/^Published thing .*generation 1/);
    expect(await answer()).toBe("a1");

    writeFileSync(join(folder.path, "word.ts"), `export const word = "b";`);
    await lineWith(/^Published thing .*generation 2/);
    expect(await answer()).toBe("b1");

    // As editors save: a new file renamed into place.
    writeFileSync(join(folder.path, "index.tmp"), "export default {\n  fetch( {\n");
    renameSync(join(folder.path, "index.tmp"), join(folder.path, "index.ts"));
    expect(await lineWith(/^index\.ts:/)).toMatch(/^index\.ts:3:1: /);
    await lineWith(/^Waiting for a change/);
    for (let i = 0; i < 50; i++) expect(await answer()).toBe("b1");

    writeFileSync(join(folder.path, "index.tmp"), handler("2"));
    renameSync(join(folder.path, "index.tmp"), join(folder.path, "index.ts"));
    await lineWith(/^Published thing .*generation 3/);
    expect(await answer()).toBe("b2");
    expect(lines.filter((line) => line.startsWith("Waiting for a change"))).toHaveLength(1);

    writeFileSync(join(folder.path, ".dev.vars"), "TAIL='!'\n");
    await lineWith(/^Published thing .*generation 4/);
    expect(await answer()).toBe("b2!");

    child.kill("SIGINT");
    expect(await exited).toEqual([0, null]);
    await expect(fetch(url)).rejects.toThrow();
  } finally {
    // Not SIGKILL: its node would stay behind.
    child.kill("SIGTERM");
    await exited;
    reader.close();
  }
});
