// One request on its way to an upstream: attempts at one server after the other until one replies, then the reply to
// the client as fast as both sides take it. Nothing is tried again once a byte of a reply has gone to the client, or
// when doing it twice might not be the same as once.

import type { Exchange, HeaderList, Upgrade } from "../../../sdk/exchange.ts";
import type { Failure } from "../../../sdk/gateway/config.ts";
import type { Pass } from "../pass.ts";
import { statusFailure, type Attempt, type AttemptOwner } from "./attempt.ts";
import { cookieOf, cookieValue } from "./balancer.ts";
import {
  announcedTrailers,
  handshakeHeaders,
  replyHeaders,
  replyTrailers,
  requestHeaders,
  requestTrailers,
} from "./forwarded-headers.ts";
import type { Server } from "./server.ts";
import type { Trailing } from "./trailing-request.ts";
import { Tunnel } from "./sockets/tunnel.ts";
import { Upload } from "./upload.ts";
import type { Upstream } from "./upstream.ts";

/** RFC 9110, section 9.2.2. */
const IDEMPOTENT: readonly string[] = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"];
/** Of a handshake, beyond the times after which it is cut here. */
const GIVE_UP_GRACE_MS = 1_000;
/** Of a random wait: so that those who failed together do not come back together. */
const JITTER_MIN = 0.5;

export class Proxied implements AttemptOwner {
  readonly #pass: Pass;
  readonly #exchange: Exchange;
  readonly #upstream: Upstream;
  readonly #upload: Upload;
  readonly #trailing: Trailing | undefined;
  readonly #totalMs: number;
  /** The client asks for a WebSocket. */
  readonly #upgrade: Upgrade | null;
  #tunnel: Tunnel | null = null;
  /** Of a reply that is nothing but its head, as gRPC's failures are: whoever gets it has to see that it is. */
  #held: { readonly status: number; readonly headers: HeaderList } | null = null;
  readonly #tried: Server[] = [];
  #attempt: Attempt | null = null;
  #backoff: NodeJS.Timeout | null = null;
  /** It counts among the upstream's retries. */
  #holdsRetry = false;
  /** Nothing is tried again, whatever happens. */
  #isFinal = false;
  #isOver = false;

  constructor(pass: Pass, upstream: Upstream) {
    const { config } = upstream;
    this.#pass = pass;
    this.#exchange = pass.ticket.exchange;
    this.#upgrade = this.#exchange.hasBody ? null : this.#exchange.upgrade;
    this.#upstream = upstream;
    this.#totalMs = least(config.timeout.totalMs, pass.totalMs);
    this.#exchange.limitBody(pass.bodyBytesMax);
    this.#upload = new Upload(this.#exchange, {
      keepBytesMax: config.retry.attempts > 1 ? config.retry.bufferBytes : 0,
      onFail: () => this.#gone(),
      now: upstream.now,
    });
    this.#trailing = this.#exchange.hasBody ? trailingOf(pass) : undefined;
    this.#exchange.onGone(() => this.#gone());
    this.#exchange.onDrained(() => this.#attempt?.resume());
  }

  start(): void {
    // The listener has refused its body.
    if (this.#exchange.state === "open") this.#try();
    else this.#gone();
  }

  /** About ten times a second. */
  expire(now: number): void {
    if (this.#isOver) return;
    if (this.#tunnel !== null) return this.#tunnel.expire(now);
    const { timeout, retry } = this.#upstream.config;
    const attempt = this.#attempt;
    if (this.#totalMs > 0 && now - this.#pass.ticket.startedMs > this.#totalMs) {
      const reason = `there was no whole reply after ${this.#totalMs} ms`;
      if (attempt === null) this.#fail(reason, true);
      else {
        this.#isFinal = true;
        attempt.expire("timeout", reason);
        if (!this.#isOver) this.#fail(reason, true);
      }
    } else if (attempt === null) return;
    else if (!attempt.isSent) {
      if (now - attempt.startedMs > timeout.connectMs) {
        attempt.expire("connect", "connecting took too long");
      }
    } else if (!attempt.isReplied) {
      const sinceMs = Math.max(attempt.heardMs, this.#upload.progressMs);
      if (this.#upload.awaitsClient) {
        if (now - sinceMs > timeout.firstByteMs) this.#giveUp(attempt);
        return;
      }
      const limitMs = least(timeout.firstByteMs, retry.perTryMs);
      if (now - sinceMs > limitMs) attempt.expire("timeout", `no reply came in ${limitMs} ms`);
    } else if (!attempt.isPaused && now - attempt.heardMs > timeout.idleMs) {
      attempt.expire("timeout", `the reply stopped for ${timeout.idleMs} ms`);
    }
  }

  replied(attempt: Attempt, status: number, raw: readonly (Buffer | string)[]): boolean {
    if (this.#isRetried(status)) return false;
    this.#upload.letGo();
    const headers = replyHeaders(raw) + this.#cookie(attempt.server);
    if (this.#upstream.config.http2 && headers.includes("\ngrpc-status\n")) {
      this.#held = { status, headers };
    } else this.#exchange.begin(status, headers);
    return true;
  }

  answered(
    attempt: Attempt,
    status: number,
    raw: readonly (Buffer | string)[],
    body: Uint8Array,
  ): boolean {
    if (this.#isRetried(status)) return false;
    this.#exchange.reply(status, replyHeaders(raw) + this.#cookie(attempt.server), body);
    this.#settle();
    return true;
  }

  #isRetried(status: number): boolean {
    const failure = statusFailure(status);
    if (failure === null || !this.#mayRetry(failure)) return false;
    this.#retry();
    return true;
  }

  upgraded(
    attempt: Attempt,
    raw: readonly (Buffer | string)[],
    open: ConstructorParameters<typeof Tunnel>[0]["open"],
  ): void {
    if (this.#upgrade === null) return attempt.abandon();
    this.#tunnel = new Tunnel({
      open,
      now: this.#upstream.now(),
      onOver: (reason) => {
        if (reason !== null) this.#log(attempt.server, reason);
        attempt.closed();
        if (!this.#isOver) this.#settle();
      },
    });
    const headers = replyHeaders(raw) + this.#cookie(attempt.server);
    this.#tunnel.open(this.#upgrade, handshakeHeaders(headers));
  }

  data(_attempt: Attempt, chunk: Uint8Array): boolean {
    if (this.#held !== null) {
      this.#exchange.begin(this.#held.status, this.#held.headers);
      this.#held = null;
    }
    return this.#exchange.write(chunk);
  }

  ended(_attempt: Attempt, trailers: readonly (Buffer | string)[]): void {
    if (this.#held !== null) {
      this.#exchange.reply(this.#held.status, this.#held.headers, null);
      return this.#settle();
    }
    const isPassedOn = trailers.length > 0 && this.#exchange.takesTrailers === true;
    this.#exchange.finish(isPassedOn ? replyTrailers(trailers) : undefined);
    this.#settle();
  }

  failed(attempt: Attempt, failure: Failure, reason: string, timedOut: boolean): void {
    if (!attempt.isReplied && this.#mayRetry(failure)) this.#retry();
    else this.#fail(`${attempt.server.url}: ${reason}`, timedOut);
  }

  #try(): void {
    const server = this.#upstream.pick(this.#pass, this.#tried);
    if (server === null) {
      if (this.#tried.length > 0) this.#fail("no other server can be used", false);
      else this.#refuse();
      return;
    }
    this.#tried.push(server);
    const { method } = this.#exchange;
    const attempt = this.#upstream.attempt(this, server);
    this.#attempt = attempt;
    const host = this.#hostFor(server.connections.authority);
    const trailing = this.#trailing;
    const length = trailing === undefined ? this.#upload.length : -1;
    const headers = requestHeaders(this.#pass, { host, length });
    if (this.#upgrade !== null) return this.#dial(server, headers, attempt);
    server.connections.dispatch(
      {
        method,
        path: this.#pass.url,
        headers,
        body: this.#upload.open(),
        trailing,
        // Only what is not tried again here may be lost by undici.
        idempotent: false,
        blocking: false,
      },
      attempt,
    );
  }

  #dial(server: Server, headers: readonly string[], attempt: Attempt): void {
    const asked = this.#exchange.header("sec-websocket-protocol") ?? "";
    const protocols = asked === "" ? [] : asked.split(",").map((name) => name.trim());
    const { connectMs, firstByteMs } = this.#upstream.config.timeout;
    const giveUpMs = connectMs + firstByteMs + GIVE_UP_GRACE_MS;
    try {
      server.connections.dial({ path: this.#pass.url, headers, protocols, giveUpMs }, attempt);
    } catch {
      // No list of protocols.
      attempt.abandon();
      attempt.closed();
      this.#settle();
      this.#pass.ticket.fail("BAD_REQUEST");
    }
  }

  #log(server: Server, reason: string): void {
    const text = `upstream ${this.#upstream.config.name}, WebSocket: ${server.url}: ${reason}`;
    this.#pass.ticket.log("warn", text);
  }

  #hostFor(authority: string): string {
    const { host } = this.#upstream.config;
    if (host === "preserve") return this.#exchange.authority;
    return host === "upstream" ? authority : host;
  }

  #mayRetry(failure: Failure): boolean {
    const { retry } = this.#upstream.config;
    if (this.#isFinal || this.#tried.length >= retry.attempts) return false;
    if (!retry.on.includes(failure) || this.#exchange.state !== "open") return false;
    // A connection that never was has carried nothing; what a server has not looked at counts as that.
    const isSafe = failure === "connect" || this.#isIdempotent();
    if (!isSafe || !this.#upload.replayable) return false;
    this.#holdsRetry ||= this.#upstream.takeRetry();
    return this.#holdsRetry;
  }

  #isIdempotent(): boolean {
    return (
      IDEMPOTENT.includes(this.#exchange.method) ||
      this.#exchange.header("idempotency-key") !== undefined
    );
  }

  #retry(): void {
    this.#upstream.retriesTotal++;
    this.#attempt = null;
    this.#upload.hold();
    const { backoffMs } = this.#upstream.config.retry;
    const waitMs = backoffMs * 2 ** (this.#tried.length - 1);
    const jitter = JITTER_MIN + (1 - JITTER_MIN) * this.#upstream.random();
    this.#backoff = setTimeout(() => {
      this.#backoff = null;
      this.#try();
    }, waitMs * jitter);
  }

  #cookie(server: Server): string {
    const { balance, cookie } = this.#upstream.config;
    if (balance !== "sticky") return "";
    const value = cookieOf(server);
    if (cookieValue(this.#pass, cookie) === value) return "";
    return `set-cookie\n${cookie}=${value}; Path=/; HttpOnly; SameSite=Lax\n`;
  }

  #refuse(): void {
    this.#settle();
    const { code, retryAfterSec } = this.#upstream.refusal();
    const headers = `retry-after\n${retryAfterSec}\n`;
    this.#pass.ticket.fail(code, `upstream ${this.#upstream.config.name}`, headers);
  }

  #fail(reason: string, timedOut: boolean): void {
    if (this.#isOver) return;
    this.#settle();
    const attempts = this.#tried.length;
    const text = `upstream ${this.#upstream.config.name}, attempt ${attempts}: ${reason}`;
    const code = timedOut ? "UPSTREAM_TIMEOUT" : "UPSTREAM_FAILED";
    this.#pass.ticket.fail(code, text, `x-edge-attempts\n${attempts}\n`);
  }

  /** The client keeps back its body, for which no server is to blame. */
  #giveUp(attempt: Attempt): void {
    attempt.abandon();
    this.#settle();
    this.#pass.ticket.fail("REQUEST_TIMEOUT");
  }

  #gone(): void {
    if (this.#isOver) return;
    if (this.#tunnel !== null) return this.#tunnel.cut();
    this.#attempt?.abandon();
    this.#settle();
  }

  #settle(): void {
    this.#isOver = true;
    if (this.#backoff !== null) clearTimeout(this.#backoff);
    if (this.#holdsRetry) this.#upstream.gaveRetry();
    this.#holdsRetry = false;
    this.#upload.close();
    this.#upstream.over(this);
  }
}

function trailingOf(pass: Pass): Trailing | undefined {
  const names = announcedTrailers(pass);
  if (names.length === 0) return undefined;
  return { names, fields: () => requestTrailers(pass.exchange.bodyTrailers, names) };
}

/** 0 stands for no limit. */
function least(one: number, other: number): number {
  return one === 0 || other === 0 ? Math.max(one, other) : Math.min(one, other);
}
