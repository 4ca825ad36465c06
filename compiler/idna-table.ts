// tr46's mapping table, written shorter: source text lies in every isolate and in every snapshot, whether a host
// ever needs it or not, and as JSON the table is a third of all the guest's.
//
// Entries follow each other without a gap, so that only their lengths are written: the length less one in base 36
// (nothing for 0), the status as a letter (A is 1), and the mapping's code points, each as the difference to the
// one that would follow the code point before it, in base 36 and ended by a comma.

/** First and last code point, or the only one; status; what it is mapped to. */
export type IdnaEntry = readonly [number | readonly [number, number], number, string?];

const LETTER_BEFORE_A = 64;
const RADIX = 36;

export function packTable(table: readonly IdnaEntry[]): string {
  let expected = 0;
  let packed = "";
  for (const [range, status, mapping = ""] of table) {
    const extra = typeof range === "number" ? 0 : range[1] - range[0];
    if (extra > 0) packed += extra.toString(RADIX);
    packed += String.fromCharCode(LETTER_BEFORE_A + status);
    for (const character of mapping) {
      const code = character.codePointAt(0) ?? 0;
      packed += `${(code - expected).toString(RADIX)},`;
      expected = code + 1;
    }
  }
  return packed;
}

/** Source of the CommonJS module whose exports are the table. */
export function packedModule(table: readonly IdnaEntry[]): string {
  return `module.exports = (${unpackTable.toString()})(${JSON.stringify(packTable(table))});`;
}

/** Runs in isolates, and so uses nothing but its argument. */
export function unpackTable(packed: string): IdnaEntry[] {
  const table: IdnaEntry[] = [];
  let first = 0;
  let expected = 0;
  for (const [, extra = "", letter = "", codes = ""] of packed.matchAll(
    /([0-9a-z]*)([A-Z])((?:-?[0-9a-z]+,)*)/g,
  )) {
    const last = first + (extra === "" ? 0 : parseInt(extra, 36));
    const range = last === first ? first : ([first, last] as const);
    const status = letter.charCodeAt(0) - 64;
    let mapping = "";
    for (const code of codes.split(",").slice(0, -1)) {
      expected += parseInt(code, 36);
      mapping += String.fromCodePoint(expected++);
    }
    // Mapped, or deviation: those have a mapping even where it is empty.
    table.push(status === 1 || status === 6 ? [range, status, mapping] : [range, status]);
    first = last + 1;
  }
  return table;
}
