// The tables of the legacy encodings, as host and guest share them: code points by pointer (the Encoding standard's
// word), 0 where there is none, one section after the other.

/** Single-byte encodings in the order of their tables: bytes from 0x80. */
export const SINGLE_BYTE = [
  "ibm866",
  "iso-8859-2",
  "iso-8859-3",
  "iso-8859-4",
  "iso-8859-5",
  "iso-8859-6",
  "iso-8859-7",
  "iso-8859-8",
  "iso-8859-10",
  "iso-8859-13",
  "iso-8859-14",
  "iso-8859-15",
  "iso-8859-16",
  "koi8-r",
  "koi8-u",
  "macintosh",
  "windows-874",
  "windows-1250",
  "windows-1251",
  "windows-1253",
  "windows-1254",
  "windows-1255",
  "windows-1256",
  "windows-1257",
  "windows-1258",
  "x-mac-cyrillic",
] as const;
export const SINGLE_BYTE_LENGTH = 128;

const BIG5_LENGTH = 19_782;
const EUC_KR_LENGTH = 23_940;
const GB18030_LENGTH = 23_940;
const GB18030_RANGES_LENGTH = 39_420;
const JIS0208_LENGTH = 11_280;
const JIS0212_LENGTH = 8_836;

export interface Section {
  readonly at: number;
  readonly length: number;
}

function after(before: Section, length: number): Section {
  return { at: before.at + before.length, length };
}

const SINGLE: Section = { at: 0, length: SINGLE_BYTE.length * SINGLE_BYTE_LENGTH };
export const BIG5: Section = after(SINGLE, BIG5_LENGTH);
export const EUC_KR: Section = after(BIG5, EUC_KR_LENGTH);
export const GB18030: Section = after(EUC_KR, GB18030_LENGTH);
/** Four bytes, as far as they name a character of the basic plane. */
export const GB18030_RANGES: Section = after(GB18030, GB18030_RANGES_LENGTH);
/** As Shift_JIS has it, with the rows that are for private use. */
export const JIS0208: Section = after(GB18030_RANGES, JIS0208_LENGTH);
export const JIS0212: Section = after(JIS0208, JIS0212_LENGTH);
export const TABLES_LENGTH: number = JIS0212.at + JIS0212.length;
