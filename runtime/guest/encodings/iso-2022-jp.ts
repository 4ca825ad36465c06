// ISO-2022-JP: which characters the bytes mean is switched by escape sequences.

import {
  between,
  CONTINUE,
  Decoder,
  END,
  ERROR,
  FINISHED,
  type Lookup,
  pointOr,
} from "./decoder.ts";

const STATE = { ASCII: 0, ROMAN: 1, KATAKANA: 2, LEAD: 3, TRAIL: 4, ESCAPE_START: 5, ESCAPE: 6 };
const ESCAPE_BYTE = 0x1b;

export class Iso2022JpDecoder extends Decoder {
  readonly #lookup: Lookup;
  #state: number = STATE.ASCII;
  /** What the last escape sequence has chosen. */
  #chosen: number = STATE.ASCII;
  #lead = 0;
  /** Nothing has come since the last escape sequence: another one is an error. */
  #switched = false;

  constructor(lookup: Lookup) {
    super();
    this.#lookup = lookup;
  }

  reset(): void {
    this.#state = STATE.ASCII;
    this.#chosen = STATE.ASCII;
    this.#lead = 0;
    this.#switched = false;
    this.forget();
  }

  protected step(byte: number): number {
    if (this.#state === STATE.ESCAPE_START) return this.#escapeStart(byte);
    if (this.#state === STATE.ESCAPE) return this.#escape(byte);
    if (this.#state === STATE.TRAIL) return this.#trail(byte);
    if (byte === ESCAPE_BYTE) {
      this.#state = STATE.ESCAPE_START;
      return CONTINUE;
    }
    if (byte === END) return FINISHED;
    this.#switched = false;
    switch (this.#state) {
      case STATE.LEAD:
        if (!between(byte, 0x21, 0x7e)) return ERROR;
        this.#lead = byte;
        this.#state = STATE.TRAIL;
        return CONTINUE;
      case STATE.KATAKANA:
        return between(byte, 0x21, 0x5f) ? 0xff61 - 0x21 + byte : ERROR;
      default:
        return this.#single(byte);
    }
  }

  #single(byte: number): number {
    if (byte > 0x7f || byte === 0x0e || byte === 0x0f) return ERROR;
    if (this.#state === STATE.ROMAN && byte === 0x5c) return 0xa5;
    if (this.#state === STATE.ROMAN && byte === 0x7e) return 0x203e;
    return byte;
  }

  #trail(byte: number): number {
    this.#state = byte === ESCAPE_BYTE ? STATE.ESCAPE_START : STATE.LEAD;
    if (!between(byte, 0x21, 0x7e)) return ERROR;
    return pointOr(this.#lookup((this.#lead - 0x21) * 94 + byte - 0x21));
  }

  #escapeStart(byte: number): number {
    if (byte === 0x24 || byte === 0x28) {
      this.#lead = byte;
      this.#state = STATE.ESCAPE;
      return CONTINUE;
    }
    if (byte !== END) this.putBack(byte);
    this.#switched = false;
    this.#state = this.#chosen;
    return ERROR;
  }

  #escape(byte: number): number {
    const lead = this.#lead;
    this.#lead = 0;
    const chosen = chosenBy(lead, byte);
    if (chosen >= 0) {
      const again = this.#switched;
      this.#state = chosen;
      this.#chosen = chosen;
      this.#switched = true;
      return again ? ERROR : CONTINUE;
    }
    if (byte !== END) this.putBack(byte);
    this.putBack(lead);
    this.#switched = false;
    this.#state = this.#chosen;
    return ERROR;
  }
}

/** -1: no escape sequence. */
function chosenBy(lead: number, byte: number): number {
  if (lead === 0x24) return byte === 0x40 || byte === 0x42 ? STATE.LEAD : -1;
  if (byte === 0x42) return STATE.ASCII;
  if (byte === 0x4a) return STATE.ROMAN;
  return byte === 0x49 ? STATE.KATAKANA : -1;
}
