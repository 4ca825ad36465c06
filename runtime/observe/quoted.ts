// A text as JSON has it, in ASCII alone.

/** What JSON has to escape, and what is not ASCII: lines are written as Latin-1. Nearly no path has any of it. */
const ESCAPED = /["\\\u0000-\u001f\u007f-\uffff]/;
const BEYOND_ASCII = /[\u007f-\uffff]/g;

export function quoted(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text).replace(BEYOND_ASCII, escaped) : `"${text}"`;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
