// What an attack is: code that wants to do harm, how it is set off, and what has to be true afterwards. The tables
// stand in ../attacks; range.ts runs them against a real node, report.ts says what was broken.

import type { LimitOverrides } from "../../../sdk/limits.ts";
import type { Outcome } from "../../../sdk/outcome.ts";
import type { Trust } from "../../../sdk/records.ts";
import type { Target } from "./target.ts";

export type Group = "loops" | "memory" | "floods" | "escapes" | "protocol" | "sockets";

/** How one request ended for its client. */
export type Verdict =
  | Outcome
  /** Of a WebSocket: the code that its client got. */
  | `closed ${number}`
  /** The reply began and broke off. */
  | "broken"
  /** The connection ended without a reply. */
  | "reset"
  /** Nothing came for as long as the client cared to wait. */
  | "silent";

/** The properties that have to hold after an attack; a broken one is named by its key. */
export const PROPERTIES = {
  verdict: "The request ended as it had to.",
  reply: "The reply is the expected one.",
  time: "The request ended in bounded time.",
  gap: "A neighbour on the same node went on answering.",
  neighbour: "Every answer of the neighbour was right.",
  recovery: "The attacked endpoint itself answers again.",
  worker: "The worker process lives on, or was replaced where it may be lost.",
  memory: "Memory is back near its level.",
  peak: "Memory stayed bounded meanwhile.",
  published: "The code was accepted.",
} as const;

export type Property = keyof typeof PROPERTIES;

/** A property that does not hold yet. Asserted as well: it has to be deleted when it holds. */
export interface Known {
  readonly property: Property;
  readonly why: string;
  /** Only under this trust; both when absent. */
  readonly trust?: Trust;
  /** Depends on luck, so that its absence proves nothing. */
  readonly sometimes?: true;
}

export interface Attack {
  readonly name: string;
  readonly group: Group;
  /** The module's text; a function where it depends on when it is published. */
  readonly source: string | (() => string);
  /** One request to /NAME when absent. */
  readonly trigger?: (target: Target) => Promise<Verdict | readonly Verdict[]>;
  /** Any of them is right, of each request where there are several. */
  readonly expect: readonly Verdict[];
  /** What the reply's text has to be, where the attack reports what it reached. */
  readonly reply?: string | RegExp;
  readonly limits?: LimitOverrides;
  /** Nothing stops this code: it may cost its worker, which is replaced. Says what does it. */
  readonly mayCostWorker?: string;
  /** It breaks its own isolate, and only that; the endpoint need not recover. */
  readonly breaksItself?: true;
  /** The longest the trigger may take, WITHIN_MS when absent. */
  readonly withinMs?: number;
  readonly known?: readonly Known[];
}

export const WITHIN_MS = 3_000;
/** Small enough that a bomb is over soon. */
export const LIMITS_OF_ATTACKS: LimitOverrides = {
  cpuMs: 100,
  wallMs: 1_500,
  memoryMb: 32,
};

/** A module whose handler runs `body`, except for /NAME/ok, which shows that the isolate still answers. */
export function handler(body: string, top = ""): string {
  return `${top}
export default {
  async fetch(request, env, ctx) {
    const path = new URL(request.url).pathname;
    if (path.endsWith("/ok")) return new Response("ok");
    ${body}
  },
};`;
}
