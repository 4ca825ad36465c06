// A stream of events (HTML, 9.2.6): bytes come in as they arrive, events go out when their empty line has.

import { decodeUtf8, incompleteTail } from "../utf8.ts";

/** Characters of one event, its unfinished line counted: as much as a message of a WebSocket may have. */
export const EVENT_CHARS_MAX: number = 1_048_576;
/** Longest wait that timers know. */
const RETRY_MS_MAX = 0x7fff_ffff;

const apply = Reflect.apply;
const setBytes = Uint8Array.prototype.set;
const part = Uint8Array.prototype.subarray;
const LF = 10;
const CR = 13;
const SPACE = 32;
const BOM = 0xfeff;

export interface ParsedEvent {
  /** Empty when only the id is new: nothing is dispatched. */
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string;
}

export interface Hearer {
  event(event: ParsedEvent): void;
  /** The stream asks for another wait before it is connected to again. */
  retry(ms: number): void;
}

export class EventStreamParser {
  readonly #hearer: Hearer;
  #id: string;
  #line = "";
  #data = "";
  #type = "";
  #isFirst = true;
  #wasReturn = false;
  #tail: Uint8Array = new Uint8Array();

  /** `lastEventId`: what the stream before this one ended with. */
  constructor(hearer: Hearer, lastEventId: string) {
    this.#hearer = hearer;
    this.#id = lastEventId;
  }

  /** False: an event is too long, and nothing more can come of this stream. */
  take(bytes: Uint8Array): boolean {
    return this.takeText(this.#decode(bytes));
  }

  takeText(text: string): boolean {
    let start = 0;
    if (this.#isFirst && text.length > 0) {
      this.#isFirst = false;
      if (text.charCodeAt(0) === BOM) start = 1;
    }
    for (let at = start; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      const isSecond = unit === LF && this.#wasReturn;
      this.#wasReturn = unit === CR;
      if (unit !== LF && unit !== CR) continue;
      if (!isSecond) {
        this.#line += text.slice(start, at);
        if (this.#isTooLong()) return false;
        this.#end();
      }
      start = at + 1;
    }
    this.#line += text.slice(start);
    return !this.#isTooLong();
  }

  #isTooLong(): boolean {
    return this.#line.length + this.#data.length + this.#type.length > EVENT_CHARS_MAX;
  }

  /** A character may be cut between two chunks. */
  #decode(bytes: Uint8Array): string {
    const before = this.#tail.length;
    const all = new Uint8Array(before + bytes.length);
    apply(setBytes, all, [this.#tail]);
    apply(setBytes, all, [bytes, before]);
    const whole = all.length - incompleteTail(all);
    this.#tail = apply(part, all, [whole]) as Uint8Array;
    return decodeUtf8(apply(part, all, [0, whole]) as Uint8Array, { ignoreBom: true });
  }

  #end(): void {
    const line = this.#line;
    this.#line = "";
    if (line === "") {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(":");
    if (colon < 0) this.#field(line, "");
    else if (colon > 0) {
      const from = line.charCodeAt(colon + 1) === SPACE ? colon + 2 : colon + 1;
      this.#field(line.slice(0, colon), line.slice(from));
    }
  }

  #field(name: string, value: string): void {
    if (name === "data") this.#data += `${value}\n`;
    else if (name === "event") this.#type = value;
    else if (name === "id") {
      if (!value.includes("\0")) this.#id = value;
    } else if (name === "retry") {
      const ms = numberOf(value);
      if (ms !== null) this.#hearer.retry(ms);
    }
  }

  #dispatch(): void {
    const data = this.#data;
    const type = this.#type;
    this.#data = "";
    this.#type = "";
    const isEvent = data !== "";
    this.#hearer.event({
      type: isEvent ? type || "message" : "",
      data: isEvent ? data.slice(0, -1) : "",
      lastEventId: this.#id,
    });
  }
}

/** ASCII digits alone. */
function numberOf(text: string): number | null {
  let number = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return null;
    number = number * 10 + digit;
    if (number > RETRY_MS_MAX) number = RETRY_MS_MAX;
  }
  return text === "" ? null : number;
}
