// What the Cache API has to answer, told as simply as it can be: a list of all puts. What a response says is made of
// facts, so that nothing here reads a header.

import type { Asked, Headers, Response } from "./cache-stage.ts";

export interface Told extends Response {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
  /** Whether a cache may have it that many share, and for how long. */
  readonly isShared: boolean;
  readonly isPublic: boolean;
  readonly seconds: number;
  readonly vary: readonly string[];
}

interface Stored {
  readonly asked: Required<Asked>;
  readonly told: Told;
  readonly endsAtMs: number;
}

export class NaiveCache {
  #puts: Stored[] = [];

  put(asked: Required<Asked>, told: Told, nowMs: number): boolean {
    const isSecret = asked.headers["authorization"] !== undefined && !told.isPublic;
    if (!told.isShared || told.seconds <= 0 || isSecret) return false;
    const { url } = asked;
    // Variants by other headers, and what has none, are not found any more.
    this.#puts = this.#puts.filter(
      (each) => each.asked.url !== url || String(each.told.vary) === String(told.vary),
    );
    this.#puts.push({ asked, told, endsAtMs: nowMs + 1_000 * told.seconds });
    return true;
  }

  match({ url, headers }: Required<Asked>, nowMs: number): string | null {
    const last = this.#puts.findLast(
      ({ asked, told }) =>
        asked.url === url && told.vary.every((name) => asked.headers[name] === headers[name]),
    );
    return last === undefined || last.endsAtMs <= nowMs ? null : last.told.body;
  }

  delete(url: string): void {
    this.#puts = this.#puts.filter(({ asked }) => asked.url !== url);
  }
}

/** A generator of its own, so that a failure can be repeated. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const STATUS_SECONDS: Readonly<Record<number, number>> = { 200: 7_200, 404: 180, 500: 0 };

export function randomResponse(random: () => number, nowMs: number, body: string): Told {
  const chance = (share: number): boolean => random() < share;
  const some = (max: number): number => Math.floor(random() * max);
  const directives: string[] = [];
  const headers: Record<string, string> = {};
  let isShared = true;
  const add = (share: number, directive: string, isRefusal: boolean): boolean => {
    if (!chance(share)) return false;
    directives.push(chance(0.5) ? directive : directive.toUpperCase());
    if (isRefusal) isShared = false;
    return true;
  };
  add(0.05, "no-store", true);
  add(0.05, "private", true);
  add(0.05, "no-cache", true);
  add(0.1, 'extension="no-store, max-age=1"', false);
  add(0.1, "immutable", false);
  const hasFields = add(0.2, 'private="x-user, set-cookie"', false);
  const isPublic = add(0.2, "public", false);
  const status = [200, 200, 200, 404, 500][some(5)] ?? 200;
  const age = chance(0.2) ? some(20) : 0;
  if (age > 0) headers["age"] = `${age}`;
  let seconds = STATUS_SECONDS[status] ?? 0;
  if (chance(0.3)) {
    const ofDate = chance(0.5) ? 0 : some(10);
    seconds = some(60) - 10;
    if (ofDate > 0) headers["date"] = new Date(nowMs - 1_000 * ofDate).toUTCString();
    headers["expires"] = new Date(nowMs + 1_000 * (seconds - ofDate)).toUTCString();
    // The date has no milliseconds, and the clock of this cache has.
    if (ofDate === 0) headers["date"] = new Date(nowMs).toUTCString();
  } else if (chance(0.1)) {
    seconds = 0;
    headers["expires"] = ["0", "soon", "2030-01-01"][some(3)] ?? "";
  }
  const maxAge = some(60);
  if (add(0.5, `max-age=${maxAge}`, false)) seconds = maxAge;
  const sharedAge = some(60);
  const hasSharedAge = add(0.3, `s-maxage=${chance(0.5) ? sharedAge : `"${sharedAge}"`}`, false);
  if (hasSharedAge) seconds = sharedAge;
  if (chance(0.2)) {
    headers["set-cookie"] = "a=1";
    if (!hasFields) isShared = false;
  }
  directives.sort(() => random() - 0.5);
  if (directives.length > 0) headers["cache-control"] = directives.join(chance(0.5) ? "," : " , ");
  const vary = chance(0.4)
    ? [["accept"], ["accept-language"], ["accept", "accept-language"]][some(3)]
    : [];
  if (vary !== undefined && vary.length > 0) headers["vary"] = vary.join(chance(0.5) ? "," : ", ");
  return {
    status,
    headers,
    body,
    isShared,
    isPublic: isPublic || hasSharedAge,
    seconds: seconds - age,
    vary: vary ?? [],
  };
}
