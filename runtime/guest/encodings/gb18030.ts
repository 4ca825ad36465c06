// gb18030, and GBK, which is decoded as it: one, two or four bytes.

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

/** Four bytes beyond the basic plane, as numbers. */
const PLANES = { first: 189_000, last: 1_237_575, point: 0x10000 };
const RANGES_LENGTH = 39_420;

export class Gb18030Decoder extends Decoder {
  readonly #pairs: Lookup;
  readonly #ranges: Lookup;
  #first = 0;
  #second = 0;
  #third = 0;

  constructor(pairs: Lookup, ranges: Lookup) {
    super();
    this.#pairs = pairs;
    this.#ranges = ranges;
  }

  reset(): void {
    this.#clear();
    this.forget();
  }

  protected step(byte: number): number {
    if (byte === END) {
      const whole = this.#first === 0;
      this.#clear();
      return whole ? FINISHED : ERROR;
    }
    if (this.#third !== 0) return this.#fourth(byte);
    if (this.#second !== 0) {
      if (between(byte, 0x81, 0xfe)) {
        this.#third = byte;
        return CONTINUE;
      }
      this.putBack(byte);
      this.putBack(this.#second);
      this.#clear();
      return ERROR;
    }
    if (this.#first !== 0) return this.#pair(byte);
    if (isAscii(byte)) return byte;
    if (byte === 0x80) return 0x20ac;
    if (byte === 0xff) return ERROR;
    this.#first = byte;
    return CONTINUE;
  }

  #pair(byte: number): number {
    if (between(byte, 0x30, 0x39)) {
      this.#second = byte;
      return CONTINUE;
    }
    const lead = this.#first;
    this.#first = 0;
    if (between(byte, 0x40, 0x7e) || between(byte, 0x80, 0xfe)) {
      return pointOr(this.#pairs((lead - 0x81) * 190 + byte - (byte < 0x7f ? 0x40 : 0x41)));
    }
    if (isAscii(byte)) this.putBack(byte);
    return ERROR;
  }

  #fourth(byte: number): number {
    const [first, second, third] = [this.#first, this.#second, this.#third];
    this.#clear();
    if (!between(byte, 0x30, 0x39)) {
      this.putBack(byte);
      this.putBack(third);
      this.putBack(second);
      return ERROR;
    }
    const number =
      (first - 0x81) * 12_600 + (second - 0x30) * 1_260 + (third - 0x81) * 10 + byte - 0x30;
    if (between(number, PLANES.first, PLANES.last)) return PLANES.point + number - PLANES.first;
    return number < RANGES_LENGTH ? pointOr(this.#ranges(number)) : ERROR;
  }

  #clear(): void {
    this.#first = 0;
    this.#second = 0;
    this.#third = 0;
  }
}
