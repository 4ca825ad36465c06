// Test suites of packages, in isolates: each file of tests is published as a handler of a real node, with a stand-in
// for vitest (kit/), and run by one request.

import { createHash } from "node:crypto";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { bundle } from "../../compiler/bundle.ts";
import type { TestNode } from "../node.ts";
import { temporary } from "../temporary.ts";
import type { Failure, Ran } from "./kit/registry.ts";

const KIT = join(import.meta.dirname, "kit/vitest.ts");
const NAME = "suite";
/** Key pairs are made, texts of megabytes are matched: these are tests, not handlers. */
const LIMITS = { cpuMs: 30_000, wallMs: 120_000, memoryMb: 512, subrequests: 1_000 };

/** Paths of the files of tests in `folder`, from there. */
export function testFiles(folder: string): readonly string[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return files.filter((file) => file.endsWith(".js")).toSorted();
}

/** Never rejects for what a file does: that is a failure of it. */
export async function runFile(node: TestNode, folder: string, file: string): Promise<Ran> {
  const failed = (name: string, message: string): Ran => {
    const failures: readonly Failure[] = [{ name, message, stack: "" }];
    return { passed: 0, skipped: 0, failures: [...failures] };
  };
  try {
    await publish(node, join(folder, file));
  } catch (error) {
    return failed("(publish)", String(error));
  }
  const { status, text } = await node.get(`/${NAME}`);
  return status === 200 ? (JSON.parse(text) as Ran) : failed("(run)", `${status} ${text}`);
}

async function publish(node: TestNode, path: string): Promise<void> {
  using scratch = temporary();
  const entry = join(scratch.path, "entry.js");
  writeFileSync(entry, handlerAround(path));
  await build({
    entryPoints: [entry],
    outfile: join(scratch.path, "suite.js"),
    bundle: true,
    format: "esm",
    target: "es2024",
    alias: { vitest: KIT },
    external: ["node:*"],
    keepNames: true,
    logLevel: "silent",
  });
  const compatibilityFlags = ["nodejs_compat"];
  const built = await bundle({ entry: "suite.js", cwd: scratch.path, compatibilityFlags });
  const { format, code } = built;
  const codeSha256 = createHash("sha256").update(code).digest("hex");
  const request = { name: NAME, routes: [], vars: {}, limits: LIMITS, format, code, codeSha256 };
  const answer = await node.api("POST", "/api/publish", { ...request, map: null });
  if (!answer.ok) throw new Error(`${answer.code} ${String(answer.error)}`);
}

/** Loads the tests in the request: much of what they do at top level is not for the top level of a handler. */
function handlerAround(path: string): string {
  return `
    import { failureOf, run } from "vitest";
    export default {
      async fetch() {
        try {
          await import(${JSON.stringify(path)});
        } catch (error) {
          return Response.json({ passed: 0, skipped: 0, failures: [failureOf("(load)", error)] });
        }
        return Response.json(await run());
      },
    };`;
}
