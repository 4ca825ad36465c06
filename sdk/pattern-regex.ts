// Regular expressions in route patterns run on every request that comes near them, on the accepting thread,
// and nothing can stop V8's backtracking. So an expression is taken only if the number of ways in which it can
// divide an input is small: at most REGEX_WAYS_MAX for inputs up to `inputMax`, which is chosen as large as
// that allows. Repetition of what already repeats or branches has no such bound and is refused, as are
// lookaround and backreferences.

/** About two milliseconds of backtracking at worst. */
export const REGEX_WAYS_MAX = 2_097_152;
/** An expression in an address that needs more is not readable any more. */
export const REGEX_LENGTH_MAX = 256;
/** Longest decoded segment tried, in UTF-16 units; the first that keeps the ways below the limit. */
const INPUT_LENGTHS = [16_384, 1_024, 128] as const;

export type RegexCheck =
  | { readonly ok: true; readonly inputMax: number }
  | { readonly ok: false; readonly at: number; readonly problem: string };

interface Scan {
  readonly source: string;
  readonly inputLength: number;
  at: number;
}

interface Problem {
  readonly at: number;
  readonly problem: string;
}

/** How both the check and the table compile a source. */
export function compileRegex(source: string): RegExp {
  return new RegExp(`^(?:${source})$`, "u");
}

export function checkRegex(source: string): RegexCheck {
  const shape = shapeProblem(source);
  if (shape !== null) return { ok: false, ...shape };
  try {
    // On its own first: "a)(?:b" is valid only between the brackets of compileRegex.
    const alone = new RegExp(source, "u");
    // V8 compiles at first use, and only then says that an expression is too large.
    if (compileRegex(source).test("") && alone.test("")) {
      return { ok: false, at: 0, problem: "the regular expression matches the empty text" };
    }
  } catch (error) {
    const text = error instanceof Error ? error.message.replace(/^.*\/u: /s, "") : "";
    return { ok: false, at: 0, problem: `the regular expression is not valid: ${text}` };
  }
  for (const inputLength of INPUT_LENGTHS) {
    const scan: Scan = { source, inputLength, at: 0 };
    const ways = waysOfChoice(scan);
    if (ways <= REGEX_WAYS_MAX) return { ok: true, inputMax: inputLength };
  }
  const problem =
    "the regular expression can backtrack too much; use at most three of * and +, and none on a group " +
    "that itself repeats or branches";
  return { ok: false, at: 0, problem };
}

function shapeProblem(source: string): Problem | null {
  if (source === "") return { at: 0, problem: "the regular expression is empty" };
  if (source.length > REGEX_LENGTH_MAX) {
    const problem = `the regular expression is longer than ${REGEX_LENGTH_MAX} characters`;
    return { at: 0, problem };
  }
  for (let at = 0; at < source.length; at += 1) {
    const two = source.slice(at, at + 2);
    if (source[at] === "/") return { at, problem: 'a segment contains no "/"' };
    if (two === "(?" && source[at + 2] !== ":") {
      return {
        at,
        problem: "only plain groups and (?:…) are possible, no lookaround, names or flags",
      };
    }
    if (/^\\[1-9k]/.test(two)) return { at, problem: "backreferences are not possible" };
    if (source[at] === "\\") at += 1;
  }
  return null;
}

function waysOfChoice(scan: Scan): number {
  let sum = waysOfSequence(scan);
  while (scan.source[scan.at] === "|") {
    scan.at += 1;
    sum += waysOfSequence(scan);
  }
  return sum;
}

function waysOfSequence(scan: Scan): number {
  let product = 1;
  for (let char = scan.source[scan.at]; char !== undefined; char = scan.source[scan.at]) {
    if (char === "|" || char === ")") break;
    product *= repeated(scan, waysOfAtom(scan));
  }
  return product;
}

function waysOfAtom(scan: Scan): number {
  const char = scan.source[scan.at];
  scan.at += 1;
  if (char === "\\") skipEscape(scan);
  else if (char === "[") skipClass(scan);
  else if (char === "(") {
    if (scan.source.startsWith("?:", scan.at)) scan.at += 2;
    const ways = waysOfChoice(scan);
    scan.at += 1;
    return ways;
  }
  return 1;
}

/** \d, \u{…}, \p{…}: the braces are no quantifier. */
function skipEscape(scan: Scan): void {
  const char = scan.source[scan.at];
  scan.at += 1;
  if ((char === "u" || char === "p" || char === "P") && scan.source[scan.at] === "{") {
    scan.at = scan.source.indexOf("}", scan.at) + 1;
  }
}

function skipClass(scan: Scan): void {
  while (scan.source[scan.at] !== "]") scan.at += scan.source[scan.at] === "\\" ? 2 : 1;
  scan.at += 1;
}

function repeated(scan: Scan, ways: number): number {
  const match = /^(?:[*+?]|\{(\d+)(,?)(\d*)\})\??/.exec(scan.source.slice(scan.at));
  if (match === null) return ways;
  scan.at += match[0].length;
  const [min, max] = bounds(match, scan.inputLength);
  if (ways === 1) return max - min + 1;
  let sum = 0;
  for (let count = min; count <= max && sum <= REGEX_WAYS_MAX; count += 1) sum += ways ** count;
  return sum;
}

function bounds(match: RegExpExecArray, inputLength: number): readonly [number, number] {
  const [text, low, comma, high] = match;
  if (text.startsWith("?")) return [0, 1];
  if (low === undefined) return [text.startsWith("+") ? 1 : 0, inputLength];
  const min = Math.min(Number(low), inputLength);
  if (comma === "") return [min, min];
  return [
    min,
    high === "" || high === undefined ? inputLength : Math.min(Number(high), inputLength),
  ];
}
