// Decoders of the legacy encodings by name. Their tables are in memory that all isolates of the process share; it comes
// with boot (sdk/text/encodings.ts), so at top level, where a snapshot may be made of what is decoded, there are none.

import {
  BIG5,
  EUC_KR,
  GB18030,
  GB18030_RANGES,
  JIS0208,
  JIS0212,
  type Section,
  SINGLE_BYTE,
  SINGLE_BYTE_LENGTH,
} from "../../../sdk/text/encodings.ts";
import type { Decoder, Lookup } from "./decoder.ts";
import { Gb18030Decoder } from "./gb18030.ts";
import { Iso2022JpDecoder } from "./iso-2022-jp.ts";
import {
  Big5Decoder,
  EucJpDecoder,
  EucKrDecoder,
  ShiftJisDecoder,
  SingleByteDecoder,
} from "./pairs.ts";

const NativeUint32Array = Uint32Array;

let tables: Uint32Array | null = null;

export function thawEncodings(memory: SharedArrayBuffer | undefined): void {
  if (memory !== undefined) tables = new NativeUint32Array(memory);
}

function lookupIn({ at, length }: Section): Lookup {
  return (pointer) => {
    // An element, no property: `length` is a getter, which an author may have replaced.
    if (tables === null || tables[0] === undefined) {
      throw new TypeError("Legacy encodings are decoded in handlers, not at top level");
    }
    return pointer >= 0 && pointer < length ? (tables[at + pointer] ?? 0) : 0;
  };
}

/** null: it is no legacy encoding. */
export function createDecoder(name: string): Decoder | null {
  switch (name) {
    case "big5":
      return new Big5Decoder(lookupIn(BIG5));
    case "euc-kr":
      return new EucKrDecoder(lookupIn(EUC_KR));
    case "shift_jis":
      return new ShiftJisDecoder(lookupIn(JIS0208));
    case "euc-jp":
      return new EucJpDecoder(lookupIn(JIS0208), lookupIn(JIS0212));
    case "iso-2022-jp":
      return new Iso2022JpDecoder(lookupIn(JIS0208));
    case "gbk":
    case "gb18030":
      return new Gb18030Decoder(lookupIn(GB18030), lookupIn(GB18030_RANGES));
    case "x-user-defined":
      return new SingleByteDecoder((pointer) => 0xf780 + pointer);
    default:
      return createSingle(name === "iso-8859-8-i" ? "iso-8859-8" : name);
  }
}

function createSingle(name: string): Decoder | null {
  for (let index = 0; index < SINGLE_BYTE.length; index++) {
    if (SINGLE_BYTE[index] !== name) continue;
    const section = { at: index * SINGLE_BYTE_LENGTH, length: SINGLE_BYTE_LENGTH };
    return new SingleByteDecoder(lookupIn(section));
  }
  return null;
}
