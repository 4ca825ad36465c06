// What clients connect to: the plain port, and the one that speaks TLS where the node has one. Certificates change
// while connections are open; ports do not.

import type { Exchange, ExchangeHandler, HttpListener, Listener } from "../../sdk/exchange.ts";
import type { FrontTls } from "../../sdk/gateway/config.ts";
import { HEADER_BYTES_MAX, LIMITS } from "../../sdk/limits.ts";
import { listenNode } from "../http/node-listener.ts";
import { listenUws } from "../http/uws-listener.ts";
import type { WorkerConfig } from "../link/messages.ts";

/** Method and body stay what they are. */
const PERMANENT_REDIRECT = 308;
const HTTPS_PORT = 443;

export class Front implements Listener {
  readonly port: number;
  readonly #plain: HttpListener;
  readonly #secure: HttpListener | null;
  readonly #redirects: Redirects;
  #tls = "";

  constructor(plain: HttpListener, secure: HttpListener | null, redirects: Redirects) {
    this.port = plain.port;
    this.#plain = plain;
    this.#secure = secure;
    this.#redirects = redirects;
  }

  /** Throws what the listener has against it, which then goes on with what it has. */
  renew(tls: FrontTls | null): void {
    const text = JSON.stringify(tls);
    if (this.#secure === null || tls === null || text === this.#tls) return;
    if (this.#tls !== "") this.#secure.renew(tls);
    this.#redirects.port = tls.redirectPort;
    this.#tls = text;
  }

  async drain(timeoutMs: number, lingerMs: number): Promise<void> {
    const secure = this.#secure?.drain(timeoutMs, lingerMs);
    await Promise.all([this.#plain.drain(timeoutMs, lingerMs), secure]);
  }
}

interface Redirects {
  /** 0: that of the TLS listener; null: none. */
  port: number | null;
}

export interface FrontParts {
  readonly handler: ExchangeHandler;
  /** Answers for log and counts with this status and these headers. */
  readonly answer: (exchange: Exchange, status: number, headers: string) => void;
  readonly tls: FrontTls | null;
  /** Whether connections from an address begin with a PROXY header. */
  readonly isProxy: (address: string) => boolean;
}

export async function openFront(
  config: WorkerConfig,
  { handler, answer, tls, isProxy }: FrontParts,
): Promise<Front> {
  const { host, port, tlsPort } = config;
  const listen = config.listener === "node" ? listenNode : listenUws;
  const common = {
    host,
    isProxy,
    bodyBytesMax: LIMITS.bodyBytes.default,
    headerBytesMax: HEADER_BYTES_MAX,
    socketBytesMax: config.limitMax.socketBytes ?? LIMITS.socketBytes.max,
  };
  const redirects: Redirects = { port: null };
  if (tlsPort === null || tls === null) {
    return new Front(await listen({ ...common, port, handler }), null, redirects);
  }
  const secure = await listen({ ...common, port: tlsPort, handler, tls });
  const plain = await listen({
    ...common,
    port,
    handler: (exchange) => {
      // Without a name there is nowhere to send it to.
      if (redirects.port === null || exchange.host === "") handler(exchange);
      else answer(exchange, PERMANENT_REDIRECT, location(exchange, redirects.port || tlsPort));
    },
  });
  const front = new Front(plain, secure, redirects);
  front.renew(tls);
  return front;
}

function location({ host, url }: Exchange, port: number): string {
  return `location\nhttps://${host}${port === HTTPS_PORT ? "" : `:${port}`}${url}\n`;
}
