// EventSource: events of a server, over subrequests. Each connection is one, and lives as long as the request that
// opened it; what comes is read as it is dispatched. A stream that ends or breaks off is connected to again, which the
// limit of subrequests ends; a server that answers anything else than events is not asked again.

import { DOMException } from "../dom-exception.ts";
import { encodeUtf8 } from "../encoding.ts";
import { defineHandlerAttribute, dispatchTrusted, EventTarget } from "../event-target.ts";
import { Event } from "../event.ts";
import { fetchIncoming } from "../fetch.ts";
import { headersFromPacked } from "../headers.ts";
import { defineConstants, exposeInterface } from "../interface.ts";
import { settle } from "../job.ts";
import type { IncomingBody, IncomingResponse } from "../port.ts";
import { MessageEvent } from "../sockets/socket-events.ts";
import { startTimer, stopTimer } from "../timers.ts";
import { URL } from "../url.ts";
import { EventStreamParser, type ParsedEvent } from "./parser.ts";

const STATES = { CONNECTING: 0, OPEN: 1, CLOSED: 2 } as const;
/** Until a stream says otherwise; as browsers wait. */
const RETRY_MS = 3_000;
const ACCEPTED = "accept\ntext/event-stream\ncache-control\nno-store\n";
const EVENT_STREAM = /^[\t ]*text\/event-stream[\t ]*(?:;|$)/i;
/** What no second try heals: the last is for a request that is over. */
const FINAL = /^(?:EGRESS_DENIED|SUBREQUEST_LIMIT|CANCELLED)$/;
const TAB = 9;
const SPACE = 32;
const DELETE = 127;
const test = RegExp.prototype.test;
const apply = Reflect.apply;
const charOf = String.fromCharCode;

interface EventSourceInit {
  readonly withCredentials?: unknown;
}

export class EventSource extends EventTarget {
  readonly #url: string;
  readonly #withCredentials: boolean;
  #state: number = STATES.CONNECTING;
  #lastEventId = "";
  #retryMs = RETRY_MS;
  #origin = "";
  #timer = 0;
  #giveUp: (() => void) | null = null;
  #body: IncomingBody | null = null;

  constructor(url: unknown, init?: EventSourceInit | null) {
    super();
    if (arguments.length === 0) throw new TypeError("EventSource requires an address");
    const parsed = URL.parse(`${url as string}`);
    if (parsed === null) {
      throw new DOMException("This is no address of a stream of events.", "SyntaxError");
    }
    this.#url = parsed.href;
    this.#withCredentials = Boolean(init?.withCredentials);
    this.#connect();
  }

  get url(): string {
    return this.#url;
  }

  get withCredentials(): boolean {
    return this.#withCredentials;
  }

  get readyState(): number {
    return this.#state;
  }

  close(): void {
    this.#state = STATES.CLOSED;
    stopTimer(this.#timer);
    this.#release();
  }

  #release(): void {
    const body = this.#body;
    const giveUp = this.#giveUp;
    this.#body = null;
    this.#giveUp = null;
    if (body !== null) body.cancel();
    else giveUp?.();
  }

  #connect(): void {
    const answer = fetchIncoming({
      method: "GET",
      url: this.#url,
      headers: `${ACCEPTED}${lastEventHeader(this.#lastEventId)}`,
      redirect: "follow",
      body: null,
      endsWithRequest: true,
      onAbort: (listener) => {
        this.#giveUp = listener;
      },
    });
    if (answer === null) {
      const message = "An EventSource cannot be opened while the module loads.";
      throw new DOMException(message, "InvalidStateError");
    }
    settle(
      answer,
      (response) => this.#answered(response),
      (error) => this.#refused(error),
    );
  }

  #refused(error: unknown): void {
    const { code } = error as { readonly code?: unknown };
    if (apply(test, FINAL, [code]) as boolean) this.#fail();
    else this.#lost();
  }

  #answered({ status, headers, url, body }: IncomingResponse): void {
    this.#giveUp = null;
    this.#body = body;
    if (this.#state === STATES.CLOSED) {
      this.#release();
      return;
    }
    const type = headersFromPacked(headers, "immutable").get("content-type") ?? "";
    if (status !== 200 || !(apply(test, EVENT_STREAM, [type]) as boolean)) {
      this.#fail();
      return;
    }
    this.#origin = URL.parse(url)?.origin ?? "";
    this.#state = STATES.OPEN;
    dispatchTrusted(this, new Event("open"));
    if (body === null) this.#lost();
    else this.#read(body);
  }

  #read(body: IncomingBody): void {
    const parser = new EventStreamParser(
      {
        event: (event) => this.#heard(event, body),
        retry: (ms) => {
          this.#retryMs = ms;
        },
      },
      this.#lastEventId,
    );
    const next = (): void => {
      if (this.#body !== body) return;
      settle(
        body.pull(),
        (bytes) => {
          if (this.#body !== body) return;
          if (bytes === null) this.#lost();
          else if (parser.take(bytes)) next();
          else this.#fail();
        },
        (error) => {
          if (this.#body === body) this.#refused(error);
        },
      );
    };
    if (body.text === null) next();
    else if (parser.takeText(body.text)) this.#lost();
    else this.#fail();
  }

  /** A listener may have closed it between two events of a piece. */
  #heard({ type, data, lastEventId }: ParsedEvent, body: IncomingBody): void {
    if (this.#body !== body) return;
    this.#lastEventId = lastEventId;
    if (type === "") return;
    const init = { data, origin: this.#origin, lastEventId };
    dispatchTrusted(this, new MessageEvent(type, init));
  }

  #lost(): void {
    this.#body = null;
    if (this.#state === STATES.CLOSED) return;
    this.#state = STATES.CONNECTING;
    dispatchTrusted(this, new Event("error"));
    // Or a listener has closed it.
    if (this.#state !== STATES.CONNECTING) return;
    this.#timer = startTimer(() => {
      if (this.#state === STATES.CONNECTING) this.#connect();
    }, this.#retryMs);
  }

  #fail(): void {
    if (this.#state === STATES.CLOSED) return;
    this.#state = STATES.CLOSED;
    this.#release();
    dispatchTrusted(this, new Event("error"));
  }
}
exposeInterface(EventSource, "EventSource");
defineConstants(EventSource, STATES);
for (const type of ["open", "message", "error"]) {
  defineHandlerAttribute(EventSource.prototype, type);
}

/** A header has bytes: those of the id's UTF-8. An id with characters that none may have is not sent. */
function lastEventHeader(id: string): string {
  if (id === "") return "";
  const bytes = encodeUtf8(id);
  let value = "";
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if ((byte < SPACE && byte !== TAB) || byte === DELETE) return "";
    value += charOf(byte);
  }
  return `last-event-id\n${value}\n`;
}
