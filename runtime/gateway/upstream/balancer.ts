// Which of the servers that can be used gets a request. Each way is a function over the candidates, which are never
// none; state lies in the servers and is this worker's own: every worker has its share of the requests, and spreads it.

import { createHash } from "node:crypto";
import type { Balance, HashSource } from "../../../sdk/gateway/config.ts";
import type { Pass } from "../pass.ts";
import type { Server } from "./server.ts";

export type Choose = (candidates: readonly Server[], pass: Pass) => Server;

export interface BalancerOptions {
  readonly balance: Balance;
  readonly hash: HashSource;
  readonly cookie: string;
  readonly random: () => number;
}

export function createBalancer({ balance, hash, cookie, random }: BalancerOptions): Choose {
  switch (balance) {
    case "round-robin":
    case "weighted":
      return smoothRoundRobin;
    case "least-connections":
      return leastConnections;
    case "p2c":
      return twoChoices(random);
    case "random":
      return weightedRandom(random);
    case "hash":
      return (candidates, pass) => highest(candidates, hashText(pass, hash));
    case "sticky":
      return (candidates, pass) => sticky(candidates, pass, cookie);
  }
}

/**
 * As nginx has it: each gains its weight, the one with most is chosen and pays for all. With equal weights this is
 * plain round robin; with 5, 1, 1 it is a a b a c a a.
 */
function smoothRoundRobin(candidates: readonly Server[]): Server {
  let total = 0;
  let best = first(candidates);
  for (const server of candidates) {
    server.current += server.weight;
    total += server.weight;
    if (server.current > best.current) best = server;
  }
  best.current -= total;
  return best;
}

/** By weight; among equals the one that answered sooner. */
function leastConnections(candidates: readonly Server[]): Server {
  let best = first(candidates);
  for (const server of candidates) {
    const load = server.active / server.weight;
    const bestLoad = best.active / best.weight;
    if (load < bestLoad || (load === bestLoad && server.latencyMs < best.latencyMs)) best = server;
  }
  return best;
}

/** Of two at random the one whose queue is likely to be done sooner. */
function twoChoices(random: () => number): Choose {
  const costOf = (server: Server): number =>
    ((server.active + 1) * Math.max(server.latencyMs, 0.1)) / server.weight;
  return (candidates) => {
    const index = Math.floor(random() * candidates.length);
    const one = candidates[index] ?? first(candidates);
    if (candidates.length === 1) return one;
    // Another one than the first.
    const step = 1 + Math.floor(random() * (candidates.length - 1));
    const other = candidates[(index + step) % candidates.length] ?? one;
    return costOf(other) < costOf(one) ? other : one;
  };
}

function weightedRandom(random: () => number): Choose {
  return (candidates) => {
    const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
    let left = random() * total;
    for (const server of candidates) {
      left -= server.weight;
      if (left < 0) return server;
    }
    return first(candidates);
  };
}

/**
 * Rendezvous hashing: the server whose number for this text is highest, by weight. Without one server only its own
 * texts move, and nothing has to be kept or built.
 */
function highest(candidates: readonly Server[], text: string): Server {
  let best = first(candidates);
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const server of candidates) {
    const score = server.weight / -Math.log(fraction(`${server.url}\n${text}`));
    if (score > bestScore) [best, bestScore] = [server, score];
  }
  return best;
}

/** Between 0 and 1, neither of the two. */
export function fraction(text: string): number {
  const bits = createHash("sha1").update(text).digest().readUIntBE(0, 6);
  return (bits + 0.5) / 2 ** 48;
}

/** What the sticky cookie says of a server; nothing of its address. */
export function cookieOf(server: Server): string {
  return createHash("sha256").update(server.url).digest("base64url").slice(0, 16);
}

function sticky(candidates: readonly Server[], pass: Pass, cookie: string): Server {
  const wanted = cookieValue(pass, cookie);
  const known = candidates.find((server) => wanted !== "" && cookieOf(server) === wanted);
  if (known !== undefined) return known;
  return smoothRoundRobin(candidates);
}

export function cookieValue({ exchange }: Pass, name: string): string {
  for (const pair of (exchange.header("cookie") ?? "").split(";")) {
    const equals = pair.indexOf("=");
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return "";
}

export function hashText(pass: Pass, { kind, name }: HashSource): string {
  const value =
    kind === "header"
      ? (pass.exchange.header(name) ?? "")
      : kind === "cookie"
        ? cookieValue(pass, name)
        : "";
  return value === "" ? pass.address : value;
}

function first(candidates: readonly Server[]): Server {
  const [server] = candidates;
  if (server === undefined) throw new RangeError("a balancer is given at least one server");
  return server;
}
