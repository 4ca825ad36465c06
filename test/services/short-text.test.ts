// Values of caches and KV that a guest wants as text: decoded in the host as the guest would decode them, and the same
// whether they are answered at once or later.

import { describe, expect, test } from "vitest";
import { decodeUtf8 } from "../../runtime/guest/utf8.ts";
import { TEXT_BYTES_MAX, type Value } from "../../sdk/services/values.ts";
import type { Backend, ServicePort } from "../../sdk/services/service.ts";
import { ACTOR_LIMITS, ServiceActor } from "../../services/actor.ts";
import { openLmdbCache } from "../../services/cache/lmdb.ts";
import { openLmdbKv } from "../../services/kv/lmdb.ts";
import { createServicePort } from "../../services/ports.ts";
import { shortText } from "../../services/short-text.ts";
import { temporary } from "../temporary.ts";

const SAMPLES: readonly Uint8Array[] = [
  Buffer.from(""),
  Buffer.from("a value"),
  Buffer.from("\ufefftext \u{1f600}\r\n\u0000"),
  Buffer.from([0xef, 0xbb]),
  Buffer.from([0xff, 0x41, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0xf0, 0x9f, 0x98]),
  Buffer.alloc(TEXT_BYTES_MAX - 1, "b"),
  Buffer.alloc(TEXT_BYTES_MAX, "c"),
  Buffer.alloc(TEXT_BYTES_MAX + 1, "d"),
];
const context = {
  request: 1,
  signal: new AbortController().signal,
  body: null,
  hold: () => true,
};

function inGuest(bytes: Uint8Array): string {
  return decodeUtf8(bytes, { ignoreBom: true });
}

describe("short text", () => {
  test("is what the guest makes of the same bytes, whatever they are", () => {
    // Bytes around every bound of UTF-8, four at a time.
    const edges = [0x41, 0x80, 0x9f, 0xbf, 0xc1, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5];
    for (let number = 0; number < edges.length ** 4; number++) {
      const bytes = Uint8Array.from(
        [0, 1, 2, 3],
        (at) => edges[Math.floor(number / edges.length ** at) % edges.length] ?? 0,
      );
      if (shortText(bytes) === inGuest(bytes)) continue;
      expect.fail(`differs for ${Buffer.from(bytes).toString("hex")}`);
    }
  });

  test("begins where it is told to, in memory that holds more", () => {
    const all = new TextEncoder().encode("-head-value-");
    expect(shortText(all, 6)).toBe("value-");
    expect(shortText(all.subarray(1, 11), 5)).toBe("value");
  });

  test("is text up to its limit, and bytes beyond it", () => {
    const kinds = SAMPLES.slice(-3).map((bytes) => typeof shortText(bytes));
    expect(kinds).toEqual(["string", "string", "object"]);
  });
});

/** What the guest makes of the first value of an answer. */
function seen(value: Value): string {
  const [found] = value as readonly Value[];
  const first = Array.isArray(found) ? (found as readonly Value[])[0] : found;
  return first instanceof Uint8Array ? inGuest(first) : (first as string);
}

async function check(
  port: ServicePort,
  write: (bytes: Uint8Array) => Promise<unknown>,
): Promise<void> {
  for (const bytes of SAMPLES) {
    await write(bytes);
    for (const args of [[["key"]], [["key"], true], [["key"], "true"]]) {
      const later = (await port.call("get", args, context)) as Value;
      const now = port.callNow?.("get", args, context)?.value;
      expect(now).toEqual(later);
      expect(seen(later)).toBe(inGuest(bytes));
    }
  }
}

function actorOf<B extends Backend>(open: () => Promise<B>): ServiceActor<B> {
  const actor = new ServiceActor<B>("embedded", {
    now: () => performance.now(),
    onHealth: () => undefined,
    onPanic: () => undefined,
  });
  actor.start({ limits: ACTOR_LIMITS, open });
  return actor;
}

const request = { scope: "s", options: {}, caller: "e", now: Date.now };

test("a cache answers at once as later, as text or as bytes", async () => {
  using folder = temporary();
  const config = { default_ttl_secs: 60, max_entries: 10 };
  const actor = actorOf(() => openLmdbCache(config, { places: { folder: folder.path } }));
  const port = createServicePort("cache", actor, request);
  await check(port, (bytes) => port.call("set", ["key", bytes, null, false], context));
  await actor.stop();
});

test("a KV namespace answers at once as later, as text or as bytes", async () => {
  using folder = temporary();
  const actor = actorOf(() => openLmdbKv({ places: { folder: folder.path } }));
  const port = createServicePort("kv", actor, request);
  await check(port, (bytes) => port.call("put", ["key", bytes, {}], context));
  await actor.stop();
});
