// A target that is several: each request goes to one of them, by weight. Who comes again may be kept where it was, by
// something that its requests say, or by a cookie.

import { hash } from "node:crypto";
import type { SingleTarget, SplitTarget, TargetConfig } from "../../sdk/gateway/config.ts";
import type { ReplyStep } from "./filtered-exchange.ts";
import type { Pass } from "./pass.ts";
import { cookieValue, fraction, hashText } from "./upstream/balancer.ts";

export type Target = (pass: Pass) => void;

export interface SplitHost {
  /** Its name: another route is split another way. */
  readonly route: string;
  readonly random: () => number;
}

interface Part {
  /** Where its share of what lies between 0 and 1 ends; what follows begins there. */
  readonly end: number;
  /** What the cookie says of it; the same as long as it is the same target. */
  readonly mark: string;
  readonly target: Target;
}

const MARK_CHARS = 8;

export function createSplit(
  { parts: configs, by, cookie }: SplitTarget,
  { route, random }: SplitHost,
  create: (target: SingleTarget) => Target,
): Target {
  const total = configs.reduce((sum, { weight }) => sum + weight, 0);
  let end = 0;
  const parts = configs.map(({ weight, target }): Part => {
    end += weight;
    const mark = hash("sha256", JSON.stringify(target), "hex").slice(0, MARK_CHARS);
    return { end: end / total, mark, target: create(target) };
  });
  const at = (share: number): Part | undefined => parts.find((part) => share < part.end);
  if (by !== null) {
    return (pass) => at(fraction(`${route}\n${hashText(pass, by)}`))?.target(pass);
  }
  if (cookie === "") return (pass) => at(random())?.target(pass);
  return (pass) => {
    const known = cookieValue(pass, cookie);
    let part = parts.find(({ mark }, index) => mark === known && configs[index]?.weight !== 0);
    if (part === undefined) {
      part = at(random());
      pass.splitCookie = `${cookie}=${part?.mark ?? ""}; Path=/; HttpOnly; SameSite=Lax`;
    }
    part?.target(pass);
  };
}

/** Its replies, or its requests, are not as they came. */
export function isSplitSeen(target: TargetConfig): boolean {
  if (target.kind !== "split") return false;
  return target.cookie !== "" || target.parts.some((part) => part.target.kind === "endpoint");
}

export const showSplit: ReplyStep = ({ splitCookie }, head) => {
  if (splitCookie !== "") head.headers += `set-cookie\n${splitCookie}\n`;
};
