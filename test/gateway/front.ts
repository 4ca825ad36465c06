// A listener and a gateway behind it, without the rest of a node: what a client sees of a configuration. Time stands
// still unless it is advanced, beside the real one.

import { parseGatewayConfig } from "../../control/gateway/config.ts";
import { Gateway } from "../../runtime/gateway/gateway.ts";
import { compileRoutes } from "../../runtime/gateway/route/table.ts";
import type { RouteTable } from "../../runtime/gateway/route/contract.ts";
import type { NodeStore } from "../../runtime/gateway/shared/store.ts";
import { temporary, type Temporary } from "../temporary.ts";
import { createMemoryStore } from "./memory-store.ts";
import { listenNode } from "../../runtime/http/node-listener.ts";
import { listenUws } from "../../runtime/http/uws-listener.ts";
import type { AccessRecord } from "../../runtime/observe/access-log.ts";
import { RequestMetrics } from "../../runtime/observe/metrics.ts";
import { RecentRequests } from "../../runtime/worker/recent-requests.ts";
import { openLimitStore } from "../../runtime/worker/stores/limit-store.ts";
import { openReplyStore } from "../../runtime/worker/stores/reply-store.ts";
import { RequestTicket, type Observers } from "../../runtime/worker/request-ticket.ts";
import type { Listener } from "../../sdk/exchange.ts";
import type { FrontTls } from "../../sdk/gateway/config.ts";
import { HEADER_BYTES_MAX, resolveLimits } from "../../sdk/limits.ts";
import type { ListenerKind } from "../../sdk/serve.ts";

// Read by uWebSockets.js when it is loaded, which the first listen does.
process.env["UWS_HTTP_MAX_HEADERS_SIZE"] = String(HEADER_BYTES_MAX);

/** As the data plane has it. */
const EXPIRE_MS = 20;

export interface FrontOptions {
  readonly kind?: ListenerKind;
  readonly variables?: Readonly<Record<string, string>>;
  /** Shared by several fronts, as by the workers of a node. */
  readonly store?: NodeStore;
  /** Folder of replies that are kept, shared as well. */
  readonly replies?: string;
  readonly random?: () => number;
  /** Of the configuration: names of other files are relative to its folder. */
  readonly path?: string;
}

export class Front implements AsyncDisposable {
  readonly gateway: Gateway;
  /** What the gateway has logged. */
  readonly lines: string[] = [];
  /** What stands in the access log. */
  readonly access: AccessRecord[] = [];
  /** How requests ended. */
  readonly metrics: RequestMetrics = new RequestMetrics();
  readonly #variables: Readonly<Record<string, string>>;
  readonly #path: string;
  #table: RouteTable = compileRoutes([]);
  #listener: Listener | null = null;
  #tls: FrontTls | null = null;
  #timer: NodeJS.Timeout;
  #aheadMs = 0;
  #folder: Temporary | null = null;

  constructor(options: FrontOptions) {
    const { variables = {}, store = createMemoryStore(), random, path = "/edge.yaml" } = options;
    const { replies } = options;
    this.#variables = variables;
    this.#path = path;
    const now = (): number => performance.now() + this.#aheadMs;
    this.gateway = new Gateway({
      openStore: () => store,
      openLimitStore,
      openReplies: () => {
        this.#folder ??= temporary();
        return openReplyStore(replies ?? this.#folder.path);
      },
      runPolicy: async () => ({ kind: "failed", code: "NOT_DEPLOYED" }),
      log: (_level, text) => this.lines.push(text),
      now,
      clock: now,
      wallClock: () => Date.now() + this.#aheadMs,
      ...(random !== undefined && { random }),
    });
    this.#timer = setInterval(() => this.gateway.expire(), EXPIRE_MS);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return this.#listener?.port ?? 0;
  }

  configure(text: string): void {
    const variables = this.#variables;
    const config = parseGatewayConfig({ path: this.#path, text, variables });
    this.#tls = config.tls;
    this.gateway.apply(config);
    this.#table = compileRoutes(this.gateway.routes);
  }

  advance(ms: number): void {
    this.#aheadMs += ms;
    this.gateway.expire();
  }

  get(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, { redirect: "manual", ...init });
  }

  async listen(kind: ListenerKind): Promise<void> {
    const observers = this.#observers();
    const listen = kind === "node" ? listenNode : listenUws;
    this.#listener = await listen({
      host: "127.0.0.1",
      port: 0,
      bodyBytesMax: 1024 ** 3,
      headerBytesMax: HEADER_BYTES_MAX,
      socketBytesMax: 4 * 1024 * 1024,
      ...(this.#tls !== null && { tls: this.#tls }),
      isProxy: (address) => this.gateway.isProxy(address),
      handler: (exchange) => {
        const ticket = new RequestTicket(exchange, observers);
        const result = this.#table.match(exchange.method, exchange.host, exchange.path);
        if (result.kind === "none") ticket.fail("NO_ROUTE");
        else if (result.kind === "method") ticket.fail("METHOD_NOT_ALLOWED");
        else {
          const { endpoint, params } = result.match;
          const enter = (name: string): void =>
            ticket.exchange.reply(
              200,
              "x-endpoint\n1\n",
              `${name} ${ticket.exchange.url}\n${ticket.exchange.headers}`,
            );
          if (!this.gateway.accept(endpoint, params, { ticket, enter })) ticket.fail("NO_ROUTE");
        }
      },
    });
  }

  async drain(): Promise<void> {
    await this.#listener?.drain(10_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#listener?.drain(0);
    await this.gateway.close();
    this.#folder?.[Symbol.dispose]();
  }

  #observers(): Observers {
    return {
      access: {
        write: (record) => this.access.push(record),
        configure: () => {},
        wantsAddress: false,
        close: () => {},
      },
      metrics: this.metrics,
      recent: new RecentRequests(),
      limits: () => resolveLimits({}),
      handlers: { write: (_level, text) => this.lines.push(text), flush: () => {} },
      mapStack: (_version, text) => text,
      outcomeHeader: false,
      dev: false,
    };
  }
}

export async function openFront(text: string, options: FrontOptions = {}): Promise<Front> {
  const front = new Front(options);
  front.configure(text);
  await front.listen(options.kind ?? "uws");
  return front;
}
