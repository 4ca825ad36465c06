// Faults on purpose (sdk/services/faults.ts): what stands before the calls of an endpoint that are made to wait or to
// fail. They never reach a service's actor, so its health, counts and breakers know nothing of them; the request's log,
// the message that the handler gets and a counter of their own do.
//
// Those of the configuration file change while isolates run, so each call looks whether there are any.

import { EdgeError, type Code } from "../../../sdk/errors.ts";
import {
  FETCH,
  FETCH_FAULT_CODES,
  SERVICE_FAULT_CODES,
  type BindingFault,
  type BindingFaults,
} from "../../../sdk/services/faults.ts";
import type { ServicePort } from "../../../sdk/services/service.ts";
import type { Send } from "../../isolate/egress/subrequest.ts";
import type { Samples } from "../../observe/metrics.ts";

/** Calls that are made to wait at once in this worker, of all endpoints; the next go on at once. */
export const WAITING_MAX = 1_024;

type ByBinding = ReadonlyMap<string, BindingFault>;

export interface FaultsOptions {
  readonly random: () => number;
  /** Rejects when the signal fires. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<unknown>;
  readonly log: (level: "info" | "warn", text: string) => void;
}

/** What the file says now. */
interface Ordered {
  /** null: nothing. */
  byEndpoint: ReadonlyMap<string, ByBinding> | null;
}

/** Of this worker. */
export class Faults {
  readonly #options: FaultsOptions;
  readonly #ordered: Ordered = { byEndpoint: null };
  #file = "{}";
  readonly #counts = new Map<string, number>();
  #waiting = 0;

  constructor(options: FaultsOptions) {
    this.#options = options;
  }

  /** Holds from the next call on, also of requests that are under way. */
  configure(file: { readonly [endpoint: string]: BindingFaults }): void {
    const text = JSON.stringify(file);
    if (text === this.#file) return;
    this.#file = text;
    const all = Object.entries(file);
    const maps = all.map(([endpoint, faults]) => [endpoint, mapOf(faults)] as const);
    this.#ordered.byEndpoint = maps.length === 0 ? null : new Map(maps);
    const named = all.map(
      ([endpoint, faults]) => `${endpoint} (${Object.keys(faults).join(", ")})`,
    );
    const { log } = this.#options;
    if (named.length === 0) log("info", "The file makes no calls wait or fail any more.");
    else log("warn", `The file makes calls wait or fail on purpose: ${named.join(", ")}.`);
  }

  /** For one isolate of the endpoint, whose version says `own`. */
  of(endpoint: string, own: BindingFaults | undefined): EndpointFaults {
    return new EndpointFaults({
      endpoint,
      ordered: this.#ordered,
      published: own === undefined ? null : mapOf(own),
      strike: (name, fault, call) =>
        this.#strike(`endpoint="${endpoint}",binding="${name}"`, fault, call),
    });
  }

  /** By endpoint, binding and what was done. */
  samples(): Samples {
    return { edge_injected_faults_total: Object.fromEntries(this.#counts) };
  }

  async #strike(labels: string, fault: BindingFault, call: StruckCall): Promise<void> {
    const { random, wait } = this.#options;
    const { delayShare, delayMs, failShare } = fault;
    if (delayShare > 0 && this.#waiting < WAITING_MAX && random() < delayShare) {
      this.#count(`${labels},effect="delay"`);
      call.note(`Injected fault: ${call.what} waits ${delayMs} ms.`);
      this.#waiting++;
      try {
        await wait(delayMs, call.signal);
      } catch {
        throw new EdgeError("CANCELLED", "The call was cancelled.");
      } finally {
        this.#waiting--;
      }
    }
    if (failShare === 0 || random() >= failShare) return;
    const code = fault.code ?? call.usual;
    this.#count(`${labels},effect="fail"`);
    call.note(`Injected fault: ${call.what} fails with ${code}.`);
    throw new EdgeError(code, `Injected fault: ${call.what} was made to fail.`);
  }

  #count(labels: string): void {
    this.#counts.set(labels, (this.#counts.get(labels) ?? 0) + 1);
  }
}

function mapOf(faults: BindingFaults): ByBinding {
  return new Map(Object.entries(faults));
}

interface StruckCall {
  /** For people. */
  readonly what: string;
  readonly usual: Code;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
}

/** Resolves when the call may go on, rejects when it is made to fail. */
type Strike = (name: string, fault: BindingFault, call: StruckCall) => Promise<void>;

interface EndpointFaultsOptions {
  readonly endpoint: string;
  readonly ordered: Ordered;
  readonly published: ByBinding | null;
  readonly strike: Strike;
}

export class EndpointFaults {
  readonly #endpoint: string;
  readonly #ordered: Ordered;
  readonly #published: ByBinding | null;
  readonly #strike: Strike;

  constructor({ endpoint, ordered, published, strike }: EndpointFaultsOptions) {
    this.#endpoint = endpoint;
    this.#ordered = ordered;
    this.#published = published;
    this.#strike = strike;
  }

  port(name: string, port: ServicePort): ServicePort {
    return {
      callNow: (method, args, context) =>
        this.#find(name) === undefined ? (port.callNow?.(method, args, context) ?? null) : null,
      call: (method, args, context) => {
        const fault = this.#find(name);
        if (fault === undefined) return port.call(method, args, context);
        const { signal, note = () => undefined } = context;
        const what = `${method} of ${name}`;
        const struck = { what, usual: SERVICE_FAULT_CODES[0], signal, note };
        return this.#strike(name, fault, struck).then(() => port.call(method, args, context));
      },
      requestDone: (request) => port.requestDone(request),
      close: () => port.close(),
    };
  }

  /** Of another endpoint, or of any address. */
  send(name: string, send: Send): Send {
    return (outgoing, how) => {
      const fault = this.#find(name);
      if (fault === undefined) return send(outgoing, how);
      const { signal, note } = how;
      const what = name === FETCH ? `fetch of ${new URL(outgoing.url).host}` : `fetch of ${name}`;
      const struck = { what, usual: FETCH_FAULT_CODES[0], signal, note };
      return this.#strike(name, fault, struck).then(() => send(outgoing, how));
    };
  }

  #find(name: string): BindingFault | undefined {
    const ordered = this.#ordered.byEndpoint?.get(this.#endpoint);
    return ordered?.get(name) ?? this.#published?.get(name);
  }
}
