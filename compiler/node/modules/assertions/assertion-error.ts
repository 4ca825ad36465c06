// What a failed assertion throws, with Node's words for why.

import { inspect } from "node:util";

export interface Failure {
  readonly message?: string | undefined;
  readonly actual?: unknown;
  readonly expected?: unknown;
  readonly operator?: string | undefined;
  /** Frames from there up are left out of the stack. */
  readonly stackStartFn?: ((...args: never[]) => unknown) | undefined;
}

/** What the two values should have been to each other. */
const HEADS: Readonly<Record<string, string>> = {
  deepStrictEqual: "Expected values to be strictly deep-equal:",
  deepEqual: "Expected values to be loosely deep-equal:",
  strictEqual: "Expected values to be strictly equal:",
  notDeepStrictEqual: 'Expected "actual" not to be strictly deep-equal to:',
  notDeepEqual: 'Expected "actual" not to be loosely deep-equal to:',
  notStrictEqual: 'Expected "actual" to be strictly unequal to:',
};

export class AssertionError extends Error {
  readonly code = "ERR_ASSERTION";
  readonly actual: unknown;
  readonly expected: unknown;
  readonly operator: string | undefined;
  readonly generatedMessage: boolean;

  constructor(failure: Failure) {
    super(failure.message ?? explain(failure));
    Object.defineProperty(this, "name", {
      value: "AssertionError",
      writable: true,
      configurable: true,
    });
    this.actual = failure.actual;
    this.expected = failure.expected;
    this.operator = failure.operator;
    this.generatedMessage = failure.message === undefined;
    Error.captureStackTrace?.(this, failure.stackStartFn ?? AssertionError);
  }

  override toString(): string {
    return `${this.name} [${this.code}]: ${this.message}`;
  }
}

function explain({ actual, expected, operator = "" }: Failure): string {
  const [a, b] = [inspect(actual), inspect(expected)];
  const head = HEADS[operator];
  if (head === undefined) return `${a} ${operator} ${b}`;
  const gap = b.includes("\n") ? "\n\n" : " ";
  if (operator.startsWith("not")) return `${head}${gap}${b}`;
  if (isSimple(actual) && isSimple(expected)) return `${head}\n\n${a} !== ${b}\n`;
  const lines = [
    ...a.split("\n").map((line) => `+ ${line}`),
    ...b.split("\n").map((line) => `- ${line}`),
  ];
  return `${head}\n+ actual - expected\n\n${lines.join("\n")}\n`;
}

function isSimple(value: unknown): boolean {
  return (typeof value !== "object" && typeof value !== "function") || value === null;
}
