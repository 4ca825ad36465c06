// The bridge between host and guest: two batched functions, `enter` (host to guest) and `leave` (guest to
// host), each carrying one packed string of records, and bytes beside it as transferred ArrayBuffers.
//
//   record  =  op (one char)  id (decimal)  "\n"  length (decimal, UTF-16 units)  "\n"  payload
//
// The length makes every payload safe whatever it contains. Neither side trusts the other: an unknown op, a
// bad length or an id that is not open ends the isolate, not the process. Header lists are "name\nvalue\n"
// repeated: names and values can contain no line feed, so this needs no escaping and no parsing until somebody
// asks for a header.

/** Host to guest. `id` is the exchange's number in this isolate unless said otherwise. */
export const ENTER = {
  /**
   * A request. Payload: method \n url \n bodyKind, then what is seldom there: the export that is asked where it is not
   * the default one, and a tab and the exchange's protocol \n requestId \n headers. Text after the first \0.
   */
  REQUEST: "R",
  /**
   * An event that is no request. Payload: the name of the handler's method \n id \n text as that event defines.
   * Answered like a request by RESPONSE, whose text is the event's outcome (status 500: the method threw), or by
   * THROWN when the method is not there.
   */
  EVENT: "V",
  /** The next chunk of the request body; payload: index of its buffer in this batch. Answers one PULL. */
  BODY_CHUNK: "B",
  /** The request body is complete. Answers one PULL that finds nothing more. */
  BODY_END: "E",
  /** The request body failed; payload: message. */
  BODY_FAIL: "X",
  /** The whole rest of the request body as text (UTF-8 decoded, BOM kept). Answers PULL_TEXT. */
  BODY_TEXT: "S",
  /** The client went away or the request was cut; payload: reason. */
  ABORT: "A",
  /** The reply stream may send `payload` more, in chunks that count as chunkCredit says. */
  CREDIT: "K",
  /**
   * A promise was rejected, and nobody handled it. `id`: the request whose code ran, 0 for none. Payload: JSON of the
   * reason (runtime/isolate/jobs/rejections.ts). Only where the cell LISTENS says so.
   */
  REJECTION: "J",
  /** The request comes near a limit; payload: which. Aborts `ctx.signal`. */
  WARN: "W",
  /** Call `id` succeeded; payload as the call defines, with bytes: their index, or index \n payload. */
  CALL_OK: "C",
  /** Call `id` failed; payload: code \n message. */
  CALL_FAIL: "F",
  /** A message of the client's on the request that has become a WebSocket. */
  SOCKET_TEXT: "M",
  /** Payload: index of its buffer in this batch. */
  SOCKET_BYTES: "Y",
  /** The WebSocket is over. Payload: code \n reason. */
  SOCKET_CLOSED: "Z",
  /** Answers SOCKET_WAIT. */
  SOCKET_GO: "G",
  /** A timer fired; id is the timer's. */
  TIMER: "T",
} as const;

/**
 * Requests open in one isolate at most, whatever its limit. Far more than a healthy handler ever holds. An
 * exchange's number modulo this is its place at both ends, so that neither needs a Map (which, added to and
 * deleted from all the time, keeps the garbage collector busy).
 */
export const OPEN_MAX = 1_024;

/** Guest to host. */
export const LEAVE = {
  /** Status and headers, and the body if it is short. Payload: status \n bodyKind \n headers [\0 text]. */
  RESPONSE: "r",
  /** The next chunk of the reply stream; its bytes come with this `leave`. */
  CHUNK: "c",
  /** The reply stream is complete. */
  END: "e",
  /** The reply stream failed after the head was sent; payload: message. */
  STREAM_FAIL: "x",
  /** A message for the client of the request that has become a WebSocket. */
  SOCKET_TEXT: "m",
  /** Bytes come with this `leave`. */
  SOCKET_BYTES: "y",
  /** Payload: code \n reason. */
  SOCKET_CLOSE: "z",
  /** Messages wait in the guest for the host to come in again. */
  SOCKET_WAIT: "j",
  /** The handler threw. Payload: name \n message \n stack. */
  THROWN: "q",
  /** What the handler returned was no Response; payload: what it was. */
  BAD_RESPONSE: "b",
  /** waitUntil: payload "+" when the first piece of background work begins, "-" when the last has settled. */
  BACKGROUND: "w",
  /** Wants the next chunk of the request body. */
  PULL: "p",
  /** Wants the whole rest of the request body as text. */
  PULL_TEXT: "s",
  /** Wants no more of the request body. */
  BODY_CANCEL: "n",
  /** A call. `id` is the call's. Payload: request id \n name \n arguments. Bytes, if any, come with this `leave`. */
  CALL: "f",
  /** The guest is no longer interested in call `id`. */
  CALL_CANCEL: "g",
  /** Set timer `id`; payload: milliseconds \n request id. */
  TIMER_SET: "t",
  TIMER_CLEAR: "u",
  /** A log line; payload: level \n text, or level and a number \n as many characters of JSON, text. */
  LOG: "l",
} as const;

export type EnterOp = (typeof ENTER)[keyof typeof ENTER];
export type LeaveOp = (typeof LEAVE)[keyof typeof LEAVE];

/** How a body crosses. */
export const BODY = {
  NONE: "0",
  /** Complete, as text after \0 in the same payload. For requests only when its bytes are valid UTF-8. */
  TEXT: "1",
  /** Complete, as bytes beside the record. */
  BYTES: "2",
  /** In chunks, pulled one by one. */
  STREAM: "3",
  /** Of a reply with status 101: none, the connection becomes a WebSocket. */
  SOCKET: "4",
} as const;
export type BodyKind = (typeof BODY)[keyof typeof BODY];

/**
 * Cells of the shared Int32Array between one isolate and its host. Private to the bootstrap. They name the
 * culprit when a slice is cut off: every enter first copies what the slice before it left into PREVIOUS_*.
 */
export const CELL = {
  /** One of PHASE. */
  PHASE: 0,
  /** Id of the request whose code runs synchronously, 0 between requests. */
  RUNNING: 1,
  /** How many records of the present batch have been started. */
  STARTED: 2,
  PREVIOUS_PHASE: 3,
  PREVIOUS_RUNNING: 4,
  PREVIOUS_STARTED: 5,
  /** Memory that the engine does not count (WebAssembly, growable buffers), as of the last report. */
  RESERVED_KB: 6,
  /** 1: the guest listens to promises that are rejected and not handled, as of the last report. */
  LISTENS: 7,
  /** Set by the host once: a request's CPU time in microseconds, its wall time in milliseconds. */
  CPU_LIMIT_US: 8,
  WALL_LIMIT_MS: 9,
  /** Set by the host before the guest boots. */
  TIMERS_MAX: 10,
  MEMORY_MB: 11,
  LOG_BYTES: 12,
  /** From here on, by place (OPEN_MAX): CPU time that the request has used, in microseconds. */
  USED_US: 16,
} as const;
export const CELLS_LENGTH: number = CELL.USED_US + OPEN_MAX;

/**
 * A chunk of a reply stream takes this much of its credit at least. Each crosses as a task of its own on the host's
 * thread: without it a quarter of a million single bytes could be under way.
 */
export const CHUNK_CREDIT_MIN = 1_024;

/** Both ends count the same. */
export function chunkCredit(bytes: number): number {
  return bytes < CHUNK_CREDIT_MIN ? CHUNK_CREDIT_MIN : bytes;
}

export const PHASE = {
  IDLE: 0,
  /** The records of the batch are being started, each with its promise jobs, one after the other. */
  STARTING: 1,
  /** The slice has reported. More promise jobs may follow. */
  REPORTED: 2,
} as const;

/** Which way the guest reports: `inline` synchronously, `pool` as a posted task. */
export const LANE = { INLINE: 0, POOL: 1 } as const;

/** Calls a guest may make. The payload formats are documented beside each handler in runtime/isolate/calls. */
export const CALLS = {
  /** Outbound fetch. Arguments: method \n url \n redirect \n bodyKind \n headers [\0 text]. */
  FETCH: "fetch",
  /** A fetch of another endpoint that is bound. Arguments: the binding's name \n those of a fetch. */
  FETCH_BOUND: "fetch.bound",
  /** A fetch that ends with its request, its response's body too. Arguments: those of a fetch. */
  FETCH_EVENTS: "fetch.events",
  /** Next chunk of a fetch's response body; arguments: call id of the fetch. */
  FETCH_PULL: "fetch.pull",
  /** The whole rest of a fetch's response body as text. */
  FETCH_TEXT: "fetch.text",
  /** Next chunk of a streamed fetch request body, bytes beside it; "end" in the arguments ends it. */
  FETCH_PUSH: "fetch.push",
  /**
   * A WebSocket to the outside, whose number is the call's. Arguments: url \n protocols with commas \n headers.
   * Answer: status \n protocol \n headers; it is open when the status is 101.
   */
  SOCKET_OPEN: "socket.open",
  /**
   * What comes next of it. Arguments: its call id. Answer: "t" and a text, bytes, or last of all "c" code \n
   * reason \n 1 if it broke.
   */
  SOCKET_NEXT: "socket.next",
  /** Arguments: its call id \n text, or its call id with bytes beside it. Answered when the socket has taken it. */
  SOCKET_SEND: "socket.send",
  /** Arguments: its call id \n code \n reason. Answered at once. */
  SOCKET_CLOSE: "socket.close",
  /** Arguments: algorithm. Bytes: data. Answer: bytes. */
  DIGEST: "crypto.digest",
  /** More of what a stream digests. Arguments: stream \n algorithm. Bytes: data. */
  DIGEST_PUSH: "crypto.digest.push",
  /** Arguments: stream \n "digest" or "drop". Answer: bytes, or nothing. */
  DIGEST_END: "crypto.digest.end",
  /**
   * Arguments: method \n a list of values (services/values.ts), its bytes beside it. Answer: as of a service, a list
   * of the result, or of the name and message of what the author is to meet.
   */
  SUBTLE: "crypto.subtle",
  /** Opens a stream, whose number is the call's. Arguments: compress or decompress, a space, format. */
  COMPRESSION_OPEN: "compression.open",
  /** Arguments: its call id \n push, end or more. Bytes: input. Answer: bytes or nothing \n more or nothing. */
  COMPRESSION_PUSH: "compression.push",
  /**
   * A call of a service. Arguments: binding \n method \n a list of values (services/values.ts), its bytes beside it.
   * Answer: index of the bytes, or nothing \n a value.
   */
  SERVICE: "service",
  /** Next piece of a service call's answer; arguments: its call id. Answer: as above, "" at the end. */
  SERVICE_PULL: "service.pull",
  /** Next chunk of a service call's stream, bytes beside it; call id, and "end" behind it to end it. */
  SERVICE_PUSH: "service.push",
} as const;
export type CallName = (typeof CALLS)[keyof typeof CALLS];

export function pack(op: string, id: number, payload: string): string {
  return `${op}${id}\n${payload.length}\n${payload}`;
}

/** More digits than any id or length has; ten stay exact in a double. */
const DIGITS_MAX = 10;

/** The decimal number between two places, -1 when it is none. Far quicker than Number() of a slice. */
export function readNumber(text: string, from: number, to: number): number {
  if (to <= from || to - from > DIGITS_MAX) return -1;
  let number = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - 48;
    // Beyond the end it is NaN.
    if (!(digit >= 0 && digit <= 9)) return -1;
    number = number * 10 + digit;
  }
  return number;
}

/** Walks a packed string. An object that is moved on, not one per record: both ends of the bridge are hot. */
export class Records {
  op = "";
  id = 0;
  payload = "";
  /** It ended early, because what follows is no record. What came before was whole. */
  malformed = false;
  readonly #packed: string;
  #at = 0;

  constructor(packed: string) {
    this.#packed = packed;
  }

  /** Nothing follows this record. */
  get isLast(): boolean {
    return this.#at >= this.#packed.length;
  }

  /** Moves on to the next record; false at the end. */
  next(): boolean {
    const packed = this.#packed;
    const at = this.#at;
    if (at >= packed.length) return false;
    const idEnd = packed.indexOf("\n", at);
    const lengthEnd = idEnd < 0 ? -1 : packed.indexOf("\n", idEnd + 1);
    const id = lengthEnd < 0 ? -1 : readNumber(packed, at + 1, idEnd);
    const length = lengthEnd < 0 ? -1 : readNumber(packed, idEnd + 1, lengthEnd);
    const end = lengthEnd + 1 + length;
    if (id < 0 || length < 0 || end > packed.length) {
      this.malformed = true;
      this.#at = packed.length;
      return false;
    }
    this.op = packed.charAt(at);
    this.id = id;
    this.payload = packed.slice(lengthEnd + 1, end);
    this.#at = end;
    return true;
  }
}
