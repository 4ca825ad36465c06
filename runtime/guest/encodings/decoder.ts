// What the decoders of legacy encodings have in common: the standard's loop over bytes, which may be put back, and what
// is left over between two chunks.

const fromCodePoint = String.fromCodePoint;

/** What a step gives beside code points. */
export const CONTINUE = -1;
export const ERROR = -2;
export const FINISHED = -3;
/** Instead of a byte. */
export const END = -1;

/** Code points by pointer, 0 where there is none. */
export type Lookup = (pointer: number) => number;

export abstract class Decoder {
  /** The bytes that a step has put back, the next one first: up to three of them. */
  #back = 0;
  #backCount = 0;
  /** A second code point of the same step. */
  protected extra = 0;

  /** One byte, or END; the standard's handler. */
  protected abstract step(byte: number): number;

  abstract reset(): void;

  /** `last`: nothing follows. null: malformed, where that is fatal. */
  decode(bytes: Uint8Array, last: boolean, fatal: boolean): string | null {
    let text = "";
    let at = 0;
    for (;;) {
      const byte = this.#backCount > 0 ? this.#takeBack() : at < bytes.length ? bytes[at++] : END;
      if (byte === END && !last) return text;
      const point = this.step(byte ?? END);
      if (point === FINISHED) return text;
      if (point >= 0) {
        text += fromCodePoint(point);
        if (this.extra > 0) text += fromCodePoint(this.extra);
        this.extra = 0;
      } else if (point === ERROR) {
        if (fatal) return null;
        text += "\ufffd";
      }
    }
  }

  protected putBack(byte: number): void {
    this.#back = (this.#back << 8) | byte;
    this.#backCount++;
  }

  protected forget(): void {
    this.#backCount = 0;
    this.#back = 0;
  }

  #takeBack(): number {
    const byte = this.#back & 0xff;
    this.#back >>= 8;
    this.#backCount--;
    return byte;
  }
}

export function between(byte: number, low: number, high: number): boolean {
  return byte >= low && byte <= high;
}

/** A byte that stands for itself. */
export function isAscii(byte: number): boolean {
  return byte >= 0 && byte < 0x80;
}

/** The code point of a pointer, or the error that the standard makes of none. */
export function pointOr(point: number): number {
  return point === 0 ? ERROR : point;
}
