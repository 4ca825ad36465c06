// Tests of packages that do not pass in an isolate, and why. What is not of the list fails the run, and so does an
// entry whose test passes.

/** eval: makes code out of text. internet: asks a server of the Internet. tool: counts on what a bundle, or the stand-in
 * for vitest, is not. */
export type Reason = "eval" | "internet" | "tool";

export interface Known {
  readonly suite: string;
  readonly file: string;
  /** Part of the test's name; absent: all of the file. */
  readonly test?: string;
  readonly reason: Reason;
  readonly why: string;
}

const PACKAGE = "It needs a package that works in Node alone.";

/** A file that cannot be loaded. */
function needs(suite: string, ...files: readonly string[]): Known[] {
  return files.map((file) => ({ suite, file, test: "(load)", reason: "tool", why: PACKAGE }));
}

export const KNOWN: readonly Known[] = [
  ...needs("hono", "client/client.test.js", "client/utils.test.js"),
  ...needs("hono", "jsx/components.test.js", "jsx/streaming.test.js"),
  ...needs("hono", "middleware/jwk/index.test.js", "utils/color.test.js"),
  {
    suite: "hono",
    file: "router/reg-exp-router/prepared-router.test.js",
    reason: "eval",
    why: "The tests build the router's source and run it with new Function.",
  },
  {
    suite: "hono",
    file: "helper/ssg/plugins.test.js",
    test: "when plugins option is omitted",
    reason: "tool",
    why: "It replaces an export of a module, which a bundle does not let it do.",
  },
  {
    suite: "hono",
    file: "jsx/context-isolation.test.js",
    test: "without AsyncLocalStorage",
    reason: "tool",
    why: "It loads a module again; in a bundle there is one of each.",
  },
  {
    suite: "jose",
    file: "jwks.js",
    test: "[createRemoteJWKSet] fetches the JWKSet",
    reason: "internet",
    why: "It asks www.googleapis.com for keys.",
  },
];
