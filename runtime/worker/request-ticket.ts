// The worker's ticket: carries one exchange to its outcome, which is decided here and nowhere else, then
// written to the access log and counted.

import { infoOf, isCode, type Code, type JsonObject } from "../../sdk/errors.ts";
import type { Exchange, HeaderList } from "../../sdk/exchange.ts";
import type { Limits } from "../../sdk/limits.ts";
import type { RequestAccount } from "../../sdk/node.ts";
import type { Outcome } from "../../sdk/outcome.ts";
import type { VersionRecord } from "../../sdk/records.ts";
import type { GateTicket } from "../gateway/pass.ts";
import { problem } from "../http/problem.ts";
import type { HandlerEvent, Ticket, Usage } from "../isolate/ticket.ts";
import type { AccessLog } from "../observe/access-log.ts";
import type { Level, Log } from "../observe/log.ts";
import type { RequestMetrics } from "../observe/metrics.ts";
import type { Slot } from "./endpoints.ts";
import { errorPage } from "./error-page.ts";
import type { RecentRequests } from "./recent-requests.ts";
import type { MapStack } from "./stacks.ts";

export interface Observers {
  /** null: a cordon; the worker that has the client logs and counts. */
  readonly access: AccessLog | null;
  readonly metrics: RequestMetrics;
  readonly recent: RecentRequests;
  readonly limits: (version: VersionRecord) => Limits;
  readonly handlers: Log;
  readonly mapStack: MapStack;
  /** Replies in a handler's place name the outcome. */
  readonly outcomeHeader: boolean;
  /** Replies of handlers that fail tell why, to browsers. */
  readonly dev: boolean;
}

const LEVELS: readonly string[] = ["debug", "info", "warn", "error"];

export class RequestTicket implements Ticket, GateTicket {
  /** What the target sees; behind policies another than the client's. */
  exchange: Exchange;
  readonly event: HandlerEvent | null;
  /** Set when the route is found. */
  slot: Slot | null = null;
  /** What answers where it is no endpoint, for log and counts. */
  route = "";
  /** Who asked, where a policy knows; for the log. */
  consumer = "";
  readonly #observers: Observers;
  readonly startedMs: number;
  #outcome: Outcome | null = null;
  #usage: Usage | null = null;
  #whenDone: (() => void) | null = null;
  /** The last error that was logged; only kept for the error page. */
  #lastError = "";

  constructor(exchange: Exchange, observers: Observers, event: HandlerEvent | null = null) {
    this.exchange = exchange;
    this.event = event;
    this.#observers = observers;
    this.startedMs = performance.now();
    if (observers.access?.wantsAddress === true) exchange.remoteAddress();
    exchange.onDone(() => this.#done());
  }

  /** As far as it is decided. */
  get outcome(): Outcome {
    return this.#outcome ?? "ok";
  }

  /** What the reply stands for where it is none of the target's. */
  get failure(): Code | null {
    const outcome = this.#outcome;
    return outcome !== null && isCode(outcome) ? outcome : null;
  }

  answered(outcome: Outcome): void {
    this.#outcome ??= outcome;
  }

  used({ cpuUs, slices, burned }: Usage): void {
    this.#usage = { cpuUs: Math.round(cpuUs), slices, burned };
  }

  fail(code: Code, logged?: string, headers: HeaderList = ""): void {
    const { exchange } = this;
    if (logged !== undefined) this.log("error", `${code}: ${logged}`);
    else if (code === "CPU_LIMIT" && this.#usage !== null) this.log("error", cpuText(this.#usage));
    if (exchange.state === "open") {
      // A reply that was held back is not sent.
      if (this.#outcome === null || this.#outcome === "ok") this.#outcome = code;
      this.#sendProblem(code, headers);
    } else if (exchange.state === "streaming") {
      this.#outcome = code === "SHUTTING_DOWN" ? "drain_forced" : "stream_failed";
      exchange.reset();
    }
  }

  whenDone(listener: () => void): void {
    const { state } = this.exchange;
    if (state === "done" || state === "gone") listener();
    else if (this.#whenDone === null) this.#whenDone = listener;
    else {
      const earlier = this.#whenDone;
      this.#whenDone = () => {
        earlier();
        listener();
      };
    }
  }

  log(level: string, text: string, fields?: JsonObject): void {
    const known = LEVELS.includes(level) ? (level as Level) : "info";
    const version = this.slot?.version ?? null;
    const shown = version === null ? text : this.#observers.mapStack(version, text);
    if (this.#observers.dev && known === "error") this.#lastError = shown;
    this.#observers.handlers.write(known, shown, {
      endpoint: this.slot?.name ?? (this.route === "" ? undefined : this.route),
      request: this.exchange.requestId,
      fields,
    });
  }

  #sendProblem(code: Code, more: HeaderList): void {
    const { exchange } = this;
    const { requestId } = exchange;
    const { status, headers, body } = problem(code, { requestId });
    const { title, fault, retry } = infoOf(code);
    if (this.#observers.dev && fault === "handler" && acceptsHtml(exchange)) {
      const page = errorPage({ title, code, stack: this.#lastError, requestId });
      exchange.reply(status, page.headers, page.body);
      return;
    }
    const later = retry && !more.includes("retry-after\n") ? "retry-after\n1\n" : "";
    const why = this.#observers.outcomeHeader ? `x-edge-outcome\n${code}\n` : "";
    exchange.reply(status, headers + more + later + why, body);
  }

  #done(): void {
    this.#whenDone?.();
    const { exchange } = this;
    const endpoint = this.slot?.name ?? this.route;
    const nowMs = performance.now();
    const us = Math.round((nowMs - this.startedMs) * 1_000);
    const gone = exchange.state === "gone";
    const status = gone && exchange.status === 0 ? 499 : exchange.status;
    const outcome = gone ? "client_abort" : (this.#outcome ?? "ok");
    const { access } = this.#observers;
    if (access !== null) {
      const { requestId, method, host, path, bytesOut: bytes } = exchange;
      this.#observers.metrics.ended(endpoint, outcome, status, us, bytes);
      const { consumer } = this;
      access.write(
        { requestId, method, host, path, status, outcome, endpoint, consumer, us, bytes },
        nowMs,
        exchange,
      );
    }
    if (this.#usage !== null) this.#remember(this.#usage, { status, outcome, us });
  }

  #remember(
    { cpuUs, slices, burned }: Usage,
    end: Pick<RequestAccount, "status" | "outcome" | "us">,
  ): void {
    const version = this.slot?.version ?? null;
    if (version === null) return;
    const { requestId: id, method, host, path } = this.exchange;
    const { cpuMs, wallMs } = this.#observers.limits(version);
    this.#observers.recent.add({
      id,
      time: new Date().toISOString(),
      endpoint: version.endpoint,
      version: version.id,
      method,
      host,
      path,
      ...end,
      cpuUs,
      slices,
      limits: { cpuMs, wallMs },
      burned: this.#observers.mapStack(version, burned),
    });
  }
}

function cpuText({ cpuUs, burned }: Usage): string {
  const where = burned === "" ? "" : `, most of it here:\n${burned}`;
  return `CPU_LIMIT: the request used ${Math.round(cpuUs / 1_000)} ms of CPU time${where}`;
}

function acceptsHtml(exchange: Exchange): boolean {
  return exchange.header("accept")?.includes("text/html") === true;
}
