// The file of a jwt policy's revoked tokens: in each line `jti` or `sub` and its value. Empty lines, and those that
// begin with #, say nothing.

import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { PolicyConfig, Revoked } from "../../../sdk/gateway/policies.ts";
import type { Finding } from "../faults.ts";
import type { Path } from "../yaml.ts";

/** Of each kind; tokens run out, so a list that grows without end lacks an expiry. */
export const REVOKED_MAX = 20_000;
/** As many lines of a random id. It goes to every worker with each change. */
export const REVOKED_BYTES_MAX: number = 1024 * 1024;

const LINE = /^(jti|sub)[ \t]+(\S.*)$/;

interface PolicyPlace {
  readonly folder: string;
  /** Of the list of policies. */
  readonly path: Path;
}

/** The policies, with what their files say. */
export function withRevoked<T extends PolicyConfig>(
  policies: readonly T[],
  { folder, path }: PolicyPlace,
  found: Finding[],
): T[] {
  return policies.map((policy, index) => {
    if (policy.kind === "anyOf") {
      const methods = withRevoked(policy.methods, { folder, path }, found);
      return { ...policy, methods };
    }
    if (policy.kind !== "jwt" || policy.revoked === null || policy.revoked.file === "") {
      return policy;
    }
    const file = resolve(folder, policy.revoked.file);
    const read = readRevoked(file);
    if (typeof read === "string") {
      const expected = "a file with `jti ID` or `sub NAME` in each line";
      found.push({ path: [...path, index], expected, problem: `${file}${read}` });
      return policy;
    }
    const { jti, sub } = policy.revoked;
    const revoked = { jti: [...jti, ...read.jti], sub: [...sub, ...read.sub], file };
    return { ...policy, revoked };
  });
}

/** Or what is wrong with it, to be said after its name. */
function readRevoked(file: string): Omit<Revoked, "file"> | string {
  let lines: string[];
  try {
    if (statSync(file).size > REVOKED_BYTES_MAX) {
      return ` is larger than ${REVOKED_BYTES_MAX} bytes`;
    }
    lines = readFileSync(file, "utf8").split("\n");
  } catch {
    return " cannot be read";
  }
  const jti: string[] = [];
  const sub: string[] = [];
  for (const [index, line] of lines.entries()) {
    const text = line.trim();
    if (text === "" || text.startsWith("#")) continue;
    const [, kind, value] = LINE.exec(text) ?? [];
    if (value === undefined) return `, line ${index + 1}, is neither a jti nor a sub`;
    (kind === "jti" ? jti : sub).push(value);
  }
  const most = Math.max(jti.length, sub.length);
  return most > REVOKED_MAX ? ` has more than ${REVOKED_MAX} lines of a kind` : { jti, sub };
}
