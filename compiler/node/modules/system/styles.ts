// node:util's styleText: colours of terminals around a text.

import { coded } from "../errors.ts";

/** Where a style begins and what ends it. */
const STYLES: Readonly<Record<string, readonly [number, number]>> = {
  reset: [0, 0], bold: [1, 22], dim: [2, 22], italic: [3, 23], underline: [4, 24], blink: [5, 25], inverse: [7, 27],
  hidden: [8, 28], strikethrough: [9, 29], doubleunderline: [21, 24], framed: [51, 54], overlined: [53, 55],
  black: [30, 39], red: [31, 39], green: [32, 39], yellow: [33, 39], blue: [34, 39], magenta: [35, 39], cyan: [36, 39],
  white: [37, 39], gray: [90, 39], grey: [90, 39], redBright: [91, 39], greenBright: [92, 39], yellowBright: [93, 39],
  blueBright: [94, 39], magentaBright: [95, 39], cyanBright: [96, 39], whiteBright: [97, 39], bgBlack: [40, 49],
  bgRed: [41, 49], bgGreen: [42, 49], bgYellow: [43, 49], bgBlue: [44, 49], bgMagenta: [45, 49], bgCyan: [46, 49],
  bgWhite: [47, 49], bgGray: [100, 49], bgGrey: [100, 49], bgRedBright: [101, 49], bgGreenBright: [102, 49],
  bgYellowBright: [103, 49], bgBlueBright: [104, 49], bgMagentaBright: [105, 49], bgCyanBright: [106, 49],
  bgWhiteBright: [107, 49],
}; // prettier-ignore

interface StyleOptions {
  /** By default it is looked whether a terminal would show it: there is none. */
  readonly validateStream?: boolean;
}

export function styleText(
  format: string | readonly string[],
  text: string,
  { validateStream = true }: StyleOptions = {},
): string {
  const names = typeof format === "string" ? [format] : format;
  const codes = names.filter((name) => name !== "none").map(codesOf);
  if (validateStream) return text;
  return codes.reduceRight((inner, [on, off]) => `\u001B[${on}m${inner}\u001B[${off}m`, text);
}

function codesOf(name: string): readonly [number, number] {
  const codes = Object.hasOwn(STYLES, name) ? STYLES[name] : undefined;
  if (codes !== undefined) return codes;
  const text = `The argument 'format' must be one of the known styles. Received '${name}'`;
  throw coded("TypeError", "ERR_INVALID_ARG_VALUE", text);
}
