// Asks a server of the operator's who may pass: a GET without a body, with the request's headers and what it asks for
// as X-Forwarded-*. 2xx lets through, and named headers of the reply go on with the request; any other reply below 500
// is the client's. A server that fails, or does not answer in time, lets nobody through. It is asked at an address, by
// connections of its own here, or it is one of an upstream, with all that upstreams have.

import { EdgeError } from "../../../../sdk/errors.ts";
import type { HeaderList } from "../../../../sdk/exchange.ts";
import type { ForwardAuthPolicy } from "../../../../sdk/gateway/policies.ts";
import { withoutHeaders } from "../../../../sdk/gateway/header-list.ts";
import type { Pass } from "../../pass.ts";
import { openConnections, type Connections, type Dispatcher } from "../../upstream/connections.ts";
import { bytesOf, replyHeaders, textFrom } from "../../upstream/forwarded-headers.ts";
import { ownPass } from "../../upstream/own-request.ts";
import type { PolicyHost } from "../contract.ts";
import { ACCEPTED, type Method, type Verdict } from "./method.ts";

/** A page that leads to a log-in is smaller; more is cut off as a failure. */
export const REPLY_BYTES_MAX: number = 64 * 1024;
/** In each worker; a decision is quick, or the time-out ends it. */
const CONNECTIONS_MAX = 64;
/** Questions that wait for a connection or an answer; more clients than that are told to come back. */
export const QUESTIONS_MAX = 1_024;
const KEEP_ALIVE_MS = 4_000;
const NO_TLS = { ca: "", serverName: "", cert: "", key: "", verify: true };

/** Of the connection, of the body, or written here. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "content-type",
  "content-encoding",
  "expect",
  "forwarded",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-method",
  "x-forwarded-proto",
  "x-forwarded-uri",
  "x-request-id",
]);
const LENGTH: ReadonlySet<string> = new Set(["content-length"]);

type RawHeaders = readonly (Buffer | string)[];

interface Answer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Buffer;
}

type Ask = (pass: Pass, kept: HeaderList) => Promise<Answer>;

export function createForwardAuth(policy: ForwardAuthPolicy, host: PolicyHost): Method {
  const { url, upstream = "", requestHeaders, responseHeaders } = policy;
  const ask = url === undefined ? askUpstream(policy, host) : askAddress(url, policy);
  const name = url === undefined ? `upstream ${upstream}` : new URL(url).origin;
  const wanted = requestHeaders.length === 0 ? null : new Set(requestHeaders);
  const copied = new Set(responseHeaders);
  let open = 0;
  return {
    owned: responseHeaders,
    async ask(pass) {
      if (open >= QUESTIONS_MAX) {
        return { kind: "refused", code: "OVERLOADED", reason: "busy", challenge: "" };
      }
      open++;
      try {
        // The client's own, not as policies have changed them: it is the client that is asked about.
        const kept = fieldsOf(
          pass.exchange.headers,
          (field) => !LEFT_OUT.has(field) && (wanted === null || wanted.has(field)),
        );
        return verdictOn(await ask(pass, kept), pass, copied);
      } catch (error) {
        const logged = `${name}: ${error instanceof Error ? error.message : String(error)}`;
        return {
          kind: "refused",
          code: "AUTH_UNAVAILABLE",
          reason: "unavailable",
          challenge: "",
          logged,
        };
      } finally {
        open--;
      }
    },
  };
}

function verdictOn(answer: Answer, pass: Pass, copied: ReadonlySet<string>): Verdict {
  const { status, headers } = answer;
  if (status >= 200 && status < 300) {
    pass.headers += textFrom(fieldsOf(headers, (name) => copied.has(name)));
    return ACCEPTED;
  }
  if (status >= 500) throw new EdgeError("AUTH_UNAVAILABLE", `it answered ${status}`);
  return {
    kind: "refused",
    code: "CREDENTIALS_INVALID",
    reason: "forward",
    challenge: "",
    reply: { ...answer, headers: withoutHeaders(headers, LENGTH) },
  };
}

/** Who it is that comes by a trusted proxy is believed by what writes the other fields. */
function askUpstream({ upstream = "", path, timeoutMs }: ForwardAuthPolicy, host: PolicyHost): Ask {
  return async (pass, kept) => {
    const { exchange, address } = pass;
    let headers = `${kept}x-forwarded-method\n${exchange.method}\nx-forwarded-uri\n${exchange.url}\n`;
    if (address !== exchange.remoteAddress()) headers += `x-forwarded-for\n${address}\n`;
    const { pass: question, reply } = ownPass(pass, {
      method: "GET",
      url: path,
      headers,
      body: null,
      totalMs: timeoutMs,
      replyBytesMax: REPLY_BYTES_MAX,
    });
    host.proxy(upstream, question);
    const answer = await reply;
    if (answer.kind === "replied") return answer;
    if (answer.kind === "cut") throw tooLong();
    throw new EdgeError("AUTH_UNAVAILABLE", `${answer.code}: ${answer.reason}`);
  };
}

function askAddress(url: string, { timeoutMs }: ForwardAuthPolicy): Ask {
  const { origin, pathname, search } = new URL(url);
  const path = pathname + search;
  return async (pass, kept) => {
    const connections = connectionsTo(origin);
    const headers = questionOf(pass, connections.authority, kept);
    return askServer(connections, { path, headers, timeoutMs });
  };
}

function tooLong(): EdgeError {
  return new EdgeError("AUTH_UNAVAILABLE", `its reply has more than ${REPLY_BYTES_MAX} bytes`);
}

function questionOf(pass: Pass, authority: string, kept: HeaderList): string[] {
  const { exchange, address } = pass;
  const flat = bytesOf(kept).split("\n");
  flat.pop();
  flat.push("host", authority, "x-forwarded-method", exchange.method);
  flat.push("x-forwarded-proto", exchange.scheme, "x-forwarded-host", exchange.authority);
  flat.push("x-forwarded-uri", exchange.url, "x-forwarded-for", address);
  flat.push("x-request-id", exchange.requestId);
  return flat;
}

function fieldsOf(list: HeaderList, isWanted: (name: string) => boolean): HeaderList {
  let wanted = "";
  for (let at = 0; at < list.length;) {
    const nameEnd = list.indexOf("\n", at);
    const next = list.indexOf("\n", nameEnd + 1) + 1;
    if (isWanted(list.slice(at, nameEnd))) wanted += list.slice(at, next);
    at = next;
  }
  return wanted;
}

/** One pool per server in this process, so that routes and reloads share it. */
const pools = new Map<string, Connections>();

function connectionsTo(origin: string): Connections {
  let found = pools.get(origin);
  if (found === undefined) {
    found = openConnections(origin, {
      connectMs: 5_000,
      maxConnections: CONNECTIONS_MAX,
      keepAliveMs: KEEP_ALIVE_MS,
      requestsPerConnection: 0,
      tls: NO_TLS,
      http2: false,
    });
    pools.set(origin, found);
  }
  return found;
}

interface Question {
  readonly path: string;
  readonly headers: string[];
  readonly timeoutMs: number;
}

function askServer(connections: Connections, question: Question): Promise<Answer> {
  const { path, headers, timeoutMs } = question;
  return new Promise((resolve, reject) => {
    const asked = new Asked(resolve, reject);
    const timer = setTimeout(() => {
      asked.cut(new EdgeError("AUTH_UNAVAILABLE", `it did not answer within ${timeoutMs} ms`));
    }, timeoutMs);
    asked.whenOver = () => clearTimeout(timer);
    connections.dispatch({ method: "GET", path, headers, blocking: false }, asked);
  });
}

class Asked implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: Error) => void;
  readonly #chunks: Buffer[] = [];
  whenOver: () => void = () => {};
  #controller: Dispatcher.DispatchController | null = null;
  #cutBy: Error | null = null;
  #bytes = 0;
  #status = 0;
  #headers = "";

  constructor(resolve: (answer: Answer) => void, reject: (error: Error) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  cut(error: Error): void {
    if (this.#cutBy !== null) return;
    this.#cutBy = error;
    this.#controller?.abort(error);
    this.onResponseError(null, error);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#cutBy !== null) controller.abort(this.#cutBy);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return;
    this.#status = status;
    const raw = Array.isArray(controller.rawHeaders) ? (controller.rawHeaders as RawHeaders) : [];
    this.#headers = replyHeaders(raw);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > REPLY_BYTES_MAX) {
      this.cut(tooLong());
    } else {
      this.#chunks.push(chunk);
    }
  }

  onResponseEnd(): void {
    this.whenOver();
    const { length } = this.#chunks;
    const body = length === 0 ? Buffer.alloc(0) : Buffer.concat(this.#chunks);
    this.#resolve({ status: this.#status, headers: this.#headers, body });
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.whenOver();
    this.#reject(error);
  }
}
