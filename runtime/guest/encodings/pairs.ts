// Encodings of one byte, and of one or two: Big5, EUC-KR, Shift_JIS, EUC-JP.

import {
  between,
  CONTINUE,
  Decoder,
  END,
  ERROR,
  FINISHED,
  isAscii,
  type Lookup,
  pointOr,
} from "./decoder.ts";

const FULL_WIDTH_KATAKANA = 0xff61;

export class SingleByteDecoder extends Decoder {
  readonly #lookup: Lookup;

  constructor(lookup: Lookup) {
    super();
    this.#lookup = lookup;
  }

  reset(): void {}

  protected step(byte: number): number {
    if (byte === END) return FINISHED;
    return isAscii(byte) ? byte : pointOr(this.#lookup(byte - 0x80));
  }
}

/** A lead that no trail follows is an error, and ASCII behind it is kept. */
abstract class PairDecoder extends Decoder {
  #lead = 0;

  reset(): void {
    this.#lead = 0;
    this.forget();
  }

  protected step(byte: number): number {
    const lead = this.#lead;
    this.#lead = 0;
    if (byte === END) return lead === 0 ? FINISHED : ERROR;
    if (lead === 0) {
      const single = this.single(byte);
      if (single === CONTINUE) this.#lead = byte;
      return single;
    }
    const point = this.pair(lead, byte);
    if (point === CONTINUE) this.#lead = byte;
    if (point !== 0) return point;
    if (isAscii(byte)) this.putBack(byte);
    return ERROR;
  }

  /** CONTINUE for a lead. */
  protected single(byte: number): number {
    if (isAscii(byte)) return byte;
    return between(byte, 0x81, 0xfe) ? CONTINUE : ERROR;
  }

  /** 0: there is none. */
  protected abstract pair(lead: number, byte: number): number;
}

export class EucKrDecoder extends PairDecoder {
  readonly #lookup: Lookup;

  constructor(lookup: Lookup) {
    super();
    this.#lookup = lookup;
  }

  protected pair(lead: number, byte: number): number {
    if (!between(byte, 0x41, 0xfe)) return 0;
    return this.#lookup((lead - 0x81) * 190 + byte - 0x41);
  }
}

/** Two pointers each for these letters with a macron or a caron. */
const BIG5_COMBINED = { upperMacron: 1133, upperCaron: 1135, lowerMacron: 1164, lowerCaron: 1166 };
const MACRON = 0x304;
const CARON = 0x30c;

export class Big5Decoder extends PairDecoder {
  readonly #lookup: Lookup;

  constructor(lookup: Lookup) {
    super();
    this.#lookup = lookup;
  }

  protected pair(lead: number, byte: number): number {
    if (!between(byte, 0x40, 0x7e) && !between(byte, 0xa1, 0xfe)) return 0;
    const pointer = (lead - 0x81) * 157 + byte - (byte < 0x7f ? 0x40 : 0x62);
    const { upperMacron, upperCaron, lowerMacron, lowerCaron } = BIG5_COMBINED;
    const upper = pointer === upperMacron || pointer === upperCaron;
    if (upper || pointer === lowerMacron || pointer === lowerCaron) {
      this.extra = pointer === upperMacron || pointer === lowerMacron ? MACRON : CARON;
      return upper ? 0xca : 0xea;
    }
    return this.#lookup(pointer);
  }
}

/** For private use: reckoned, not in a table. */
const SHIFT_JIS_PRIVATE = { first: 8836, last: 10_715, point: 0xe000 };

export class ShiftJisDecoder extends PairDecoder {
  readonly #lookup: Lookup;

  constructor(lookup: Lookup) {
    super();
    this.#lookup = lookup;
  }

  protected override single(byte: number): number {
    if (byte <= 0x80) return byte;
    if (between(byte, 0xa1, 0xdf)) return FULL_WIDTH_KATAKANA - 0xa1 + byte;
    return between(byte, 0x81, 0x9f) || between(byte, 0xe0, 0xfc) ? CONTINUE : ERROR;
  }

  protected pair(lead: number, byte: number): number {
    if (!between(byte, 0x40, 0x7e) && !between(byte, 0x80, 0xfc)) return 0;
    const row = lead - (lead < 0xa0 ? 0x81 : 0xc1);
    const pointer = row * 188 + byte - (byte < 0x7f ? 0x40 : 0x41);
    const { first, last, point } = SHIFT_JIS_PRIVATE;
    return between(pointer, first, last) ? point - first + pointer : this.#lookup(pointer);
  }
}

export class EucJpDecoder extends PairDecoder {
  readonly #jis0208: Lookup;
  readonly #jis0212: Lookup;
  /** The byte that says that three belong together came before. */
  #three = false;

  constructor(jis0208: Lookup, jis0212: Lookup) {
    super();
    this.#jis0208 = jis0208;
    this.#jis0212 = jis0212;
  }

  override reset(): void {
    super.reset();
    this.#three = false;
  }

  protected override single(byte: number): number {
    this.#three = false;
    if (isAscii(byte)) return byte;
    const isLead = byte === 0x8e || byte === 0x8f || between(byte, 0xa1, 0xfe);
    return isLead ? CONTINUE : ERROR;
  }

  protected pair(lead: number, byte: number): number {
    if (lead === 0x8e && between(byte, 0xa1, 0xdf)) return FULL_WIDTH_KATAKANA - 0xa1 + byte;
    if (lead === 0x8f && between(byte, 0xa1, 0xfe)) {
      this.#three = true;
      return CONTINUE;
    }
    const lookup = this.#three ? this.#jis0212 : this.#jis0208;
    this.#three = false;
    if (!between(lead, 0xa1, 0xfe) || !between(byte, 0xa1, 0xfe)) return 0;
    return lookup((lead - 0xa1) * 94 + byte - 0xa1);
  }
}
