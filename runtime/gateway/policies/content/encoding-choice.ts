// Which encoding a client gets (RFC 9110, section 12.5.3): of those it takes the one it likes best, and among equals
// the one that is configured first. A client that says nothing gets the body as it is.

import type { ContentEncoding } from "../../../../sdk/gateway/policies.ts";

/** A weight of more digits, or above 1, is none; its encoding is left out. */
const ITEM =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:[ \t]*;[ \t]*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$/;
/** As gzip was once called. */
const ALIASES: Readonly<Record<string, string>> = { "x-gzip": "gzip" };

export type ChooseEncoding = (header: string | undefined) => ContentEncoding | null;

export function createEncodingChoice(offered: readonly ContentEncoding[]): ChooseEncoding {
  // Most clients send one of a few texts, many the same one after the other.
  let lastHeader = "";
  let last: ContentEncoding | null = null;
  return (header) => {
    if (header === undefined || header === "") return null;
    if (header !== lastHeader) {
      last = choose(header, offered);
      lastHeader = header;
    }
    return last;
  };
}

function choose(header: string, offered: readonly ContentEncoding[]): ContentEncoding | null {
  const weights = new Map<string, number>();
  for (const item of header.split(",")) {
    const [, name = "", weight = "1"] = ITEM.exec(item.trim()) ?? [];
    const coding = name.toLowerCase();
    if (coding !== "") weights.set(ALIASES[coding] ?? coding, Number(weight));
  }
  const rest = weights.get("*") ?? 0;
  let best: ContentEncoding | null = null;
  let bestWeight = 0;
  for (const coding of offered) {
    const weight = weights.get(coding) ?? rest;
    if (weight <= bestWeight) continue;
    best = coding;
    bestWeight = weight;
  }
  return best !== null && (weights.get("identity") ?? 0) > bestWeight ? null : best;
}
