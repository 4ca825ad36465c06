// The apps under load: source, the request that the load sends, and what a right answer is. The counter in
// every answer must have grown, so nobody can have cached it.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runEsbuild } from "../../compiler/esbuild.ts";

const FOLDER = join(import.meta.dirname, "..", "peers", "apps");

export type AppName = "hello" | "echo" | "hono" | "neighbour" | "proxied";

export interface Call {
  readonly path: string;
  /** POSTed as JSON; GET without. */
  readonly body: string | null;
}

export interface App {
  readonly name: AppName;
  readonly entry: string;
  /** As for `edge publish --route`. */
  readonly route: string;
  readonly call: Call;
  /** The counter of a right answer; throws for a wrong one. */
  counterOf(text: string, call: Call): number;
}

export const HELLO: App = {
  name: "hello",
  entry: join(FOLDER, "hello.ts"),
  route: "/hello",
  call: { path: "/hello", body: null },
  counterOf(text) {
    const counter = /^Hello World (\d+)$/.exec(text)?.[1];
    if (counter === undefined) throw new Error(`wrong answer: ${text.slice(0, 200)}`);
    return Number(counter);
  },
};

export const ECHO: App = {
  name: "echo",
  entry: join(FOLDER, "echo.ts"),
  route: "/echo",
  call: { path: "/echo", body: jsonOf(1_024) },
  counterOf(text, call) {
    const found = /^\{"count":(\d+),"body":(.*)\}$/s.exec(text);
    if (found === null || found[2] !== call.body) {
      throw new Error(`wrong answer: ${text.slice(0, 200)}`);
    }
    return Number(found[1]);
  },
};

export const HONO: App = {
  name: "hono",
  entry: join(FOLDER, "hono.ts"),
  route: "/api/*",
  call: { path: "/api/v1/resource-17/42", body: null },
  counterOf(text) {
    const found = /^\{"resource":"resource-17","id":"42","release":"[^"]+","count":(\d+)\}$/.exec(
      text,
    );
    if (found === null) throw new Error(`wrong answer: ${text.slice(0, 200)}`);
    return Number(found[1]);
  },
};

/** Only what it does to others is measured (fairness.ts). */
export const NEIGHBOUR: App = {
  name: "neighbour",
  entry: join(FOLDER, "neighbour.ts"),
  route: "/neighbour/*",
  call: { path: "/neighbour/well", body: null },
  counterOf: () => Number.NaN,
};

/** A list of small records, as APIs send them, of about this size. */
export function jsonOf(bytes: number): string {
  const items: object[] = [];
  for (let id = 0; JSON.stringify(items).length < bytes; id++) {
    items.push({ id, name: `Item number ${id}`, price: id * 1.5, tags: ["a", "b"], sold: false });
  }
  return JSON.stringify(items);
}

/** The same module for every peer, by the bundler that publishing uses. Returns its path. */
export async function bundleForPeers(app: App, folder: string): Promise<string> {
  const outcome = await runEsbuild({
    entryPoints: [app.entry],
    bundle: true,
    format: "esm",
    target: "es2024",
    platform: "browser",
    conditions: ["workerd", "worker", "browser", "module"],
    outfile: join(folder, `${app.name}.mjs`),
  });
  if (!outcome.ok) throw new Error(outcome.errors.map((error) => error.text).join("\n"));
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${app.name}.mjs`);
  writeFileSync(path, outcome.built.outputFiles[0]?.text ?? "");
  return path;
}
