// What a full snapshot holds, made as the checker makes it: the module and the platform, and nothing of the
// process that made it, of an operator's settings, of a request or of chance.

import { readFileSync } from "node:fs";
import { homedir, hostname, tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleSource, hashBundle, stopEsbuild } from "../../compiler/bundle.ts";
import { BUNDLE_FILE, wrapScript } from "../../compiler/script.ts";
import { snapshotKey } from "../../compiler/snapshot-store.ts";
import { createCryptoCalls } from "../../runtime/isolate/crypto-calls.ts";
import { makeSnapshot, type Script } from "../../runtime/isolate/engine.ts";
import { loadInstance, type Loaded, type Start } from "../../runtime/isolate/load.ts";
import { resolveLimits } from "../../sdk/limits.ts";
import { openChecking, SLOW, type Checking } from "../compiler/checking.ts";
import { openWorkshop, Sent, type Workshop } from "./instances.ts";

const REAL_GUEST: string = fileURLToPath(new URL("../../runtime/guest/boot.ts", import.meta.url));

// Put together at run time, so that no file of the repository holds them whole.
const plant = (name: string): string => ["planted", name, "3f9c1d7e"].join("-");
const PROCESS_SECRET = plant("process");
const ENV_SECRET = plant("env");
const REQUEST_SECRET = plant("request");
const MARK = plant("module");

const DRAWS = `
const draw = () => ({ random: Math.random(), bytes: [...crypto.getRandomValues(new Uint8Array(16))].join(), uuid: crypto.randomUUID() });`;
const SOURCE = `${SLOW}${DRAWS}
export const mark = ${JSON.stringify(MARK)};
const seen = [];
export default { async fetch(request, env) {
  seen.push(await request.text(), request.headers.get("authorization"), env.SECRET);
  return Response.json({ ...draw(), seen });
} };`;
const READS = `${DRAWS}
const top = { ...draw(), now: Date.now(), origin: performance.timeOrigin };
export default { fetch: () => Response.json(top) };`;

interface Drawn {
  readonly random: number;
  readonly bytes: string;
  readonly uuid: string;
  readonly now?: number;
  readonly seen?: readonly string[];
}

let checking: Checking;
let workshop: Workshop;
const loaded: Loaded[] = [];

beforeAll(async () => {
  // Set for the whole file: stubs of the environment end with each test.
  process.env["ISLET_TEST_SECRET"] = PROCESS_SECRET;
  checking = await openChecking(REAL_GUEST);
  workshop = await openWorkshop();
});
afterAll(async () => {
  for (const one of loaded) one.dispose();
  workshop.close();
  checking.close();
  delete process.env["ISLET_TEST_SECRET"];
  await stopEsbuild();
});

interface Made {
  readonly blob: ArrayBuffer;
  readonly script: Script;
  readonly key: string;
}

/** As a publish does it: bundled, checked, snapshotted in a child, read from the store. */
async function publish(code: string): Promise<Made> {
  const bundle = await bundleSource({ code, filename: "index.ts" });
  const { format, map } = bundle;
  const bundleHash = hashBundle(bundle.code);
  const { start } = await checking.checker.check({ format, code: bundle.code, bundleHash, map });
  expect(start).toEqual({ kind: "full" });
  const key = snapshotKey(checking.basis, bundleHash);
  const blob = checking.store.read(key);
  if (blob === null) throw new Error("The checker stored no snapshot.");
  return { blob, key, script: { code: wrapScript(bundle.code), filename: BUNDLE_FILE } };
}

async function load(start: Start, env = "{}"): Promise<Loaded> {
  // The engine takes a snapshot's bytes over.
  const snapshot = start.snapshot instanceof ArrayBuffer ? start.snapshot.slice(0) : null;
  const one = await loadInstance({
    start: () => ({ ...start, snapshot }) as Start,
    limits: resolveLimits({}),
    trust: "untrusted",
    env,
    host: workshop.host,
    services: [createCryptoCalls()],
    events: { ended: () => undefined, died: () => undefined },
    onCatastrophic: (message) => workshop.catastrophes.push(message),
    onWedged: () => workshop.catastrophes.push("wedged"),
  });
  loaded.push(one);
  return one;
}

/** Whether the text stands in the blob in either of the ways V8 keeps strings. */
function holds(blob: ArrayBuffer, text: string): boolean {
  const bytes = Buffer.from(blob);
  return (
    bytes.includes(Buffer.from(text, "latin1")) || bytes.includes(Buffer.from(text, "utf16le"))
  );
}

async function ask(one: Loaded, body = "", authorization = "none"): Promise<Drawn> {
  const headers = `authorization\n${authorization}\n`;
  const sent = new Sent({ method: "POST", url: "/", headers, body });
  one.instance.accept(sent);
  return JSON.parse(await sent.text()) as Drawn;
}

const DRAWN = ["random", "bytes", "uuid"] as const;

function expectDifferent(drawn: readonly Drawn[]): void {
  for (const key of DRAWN) {
    expect(drawn.every((one) => one[key] !== undefined)).toBe(true);
    expect(new Set(drawn.map((one) => one[key])).size, key).toBe(drawn.length);
  }
}

describe("a full snapshot", () => {
  let made: Made;
  beforeAll(async () => {
    made = await publish(SOURCE);
  });

  test("that holds a text is found to hold it, in either encoding", () => {
    expect(holds(made.blob, MARK)).toBe(true);
    const wide = `globalThis.kept = ${JSON.stringify(`${ENV_SECRET} \u4e00`)};`;
    expect(holds(makeSnapshot([{ code: wide, filename: "a" }]), ENV_SECRET)).toBe(true);
    const joined = `globalThis.kept = {}; kept["${PROCESS_SECRET.slice(0, 9)}" + "${PROCESS_SECRET.slice(9)}"] = 1;`;
    expect(holds(makeSnapshot([{ code: joined, filename: "a" }]), PROCESS_SECRET)).toBe(true);
  });

  test("holds nothing of the environment of who made it", () => {
    expect(process.env["ISLET_TEST_SECRET"]).toBe(PROCESS_SECRET);
    // Shorter values are words that code is made of.
    const values = Object.values(process.env).filter((value) => (value ?? "").length >= 12);
    const places = [process.cwd(), process.execPath, checking.storeDir, homedir(), hostname()];
    const texts = [...values, ...places.filter((place) => place.length >= 8)];
    expect(texts).toContain(PROCESS_SECRET);
    expect(texts.filter((text) => holds(made.blob, String(text)))).toEqual([]);
    expect(holds(made.blob, "ISLET_TEST_SECRET")).toBe(false);
    expect(holds(made.blob, `${tmpdir()}/islet-`)).toBe(false);
  });

  test("holds no variable and nothing of a request, before and after serving one", async () => {
    const env = JSON.stringify({ vars: { SECRET: ENV_SECRET } });
    const start = { kind: "full", snapshot: made.blob } as const;
    const { seen } = await ask(await load(start, env), REQUEST_SECRET, `Bearer ${REQUEST_SECRET}`);
    expect(seen).toEqual([REQUEST_SECRET, `Bearer ${REQUEST_SECRET}`, ENV_SECRET]);
    const again = await publish(SOURCE);
    expect(again.key).toBe(made.key);
    const stored = new Uint8Array(readFileSync(checking.store.path(made.key))).slice().buffer;
    for (const blob of [made.blob, again.blob, stored]) {
      expect(holds(blob, MARK)).toBe(true);
      expect(holds(blob, ENV_SECRET)).toBe(false);
      expect(holds(blob, REQUEST_SECRET)).toBe(false);
    }
    const other = await ask(await load({ kind: "full", snapshot: made.blob }));
    expect(other.seen).toEqual(["", "none", null]);
  });

  test("gives each isolate randomness of its own", async () => {
    const start = { kind: "full", snapshot: made.blob } as const;
    const first = await load(start);
    const second = await load(start);
    const third = await load({
      kind: "platform",
      snapshot: null,
      guest: workshop.guest,
      bundle: made.script,
      codeCache: null,
      format: "script",
    });
    const drawn = await Promise.all([first, second, third].map((one) => ask(one)));
    expectDifferent(drawn);
    expectDifferent([...drawn, await ask(first)]);
  });
});

test("a module that draws at its top level is not snapshotted and draws anew in each isolate", async () => {
  const { start } = await checking.check(READS);
  expect(start).toEqual({
    kind: "platform",
    reason: "The module reads the time and random values at top level.",
  });
  const bundle = await bundleSource({ code: READS, filename: "index.ts" });
  const bundleHash = hashBundle(bundle.code);
  expect(checking.store.read(snapshotKey(checking.basis, bundleHash))).toBeNull();
  const snapshot = checking.store.read(snapshotKey(checking.basis, null));
  expect(snapshot).not.toBeNull();
  const script = { code: wrapScript(bundle.code), filename: BUNDLE_FILE };
  const draw = async (): Promise<Drawn> =>
    await ask(
      await load({
        kind: "platform",
        snapshot,
        guest: workshop.guest,
        bundle: script,
        codeCache: null,
        format: "script",
      }),
    );
  const before = Date.now();
  const drawn = [await draw(), await draw(), await draw()];
  expectDifferent(drawn);
  for (const { now } of drawn) {
    expect(now).toBeGreaterThanOrEqual(before - 1);
    expect(now).toBeLessThanOrEqual(Date.now());
  }
});
