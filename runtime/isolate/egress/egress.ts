// Outbound fetch of one isolate: the host's end of the calls fetch, fetch.pull, fetch.text and fetch.push. The
// WebSockets that it opens have the same guard and the same budget (sockets/dialled-sockets.ts).
//
// fetch answers when the response's head is there; its body stays here and is pulled chunk by chunk or taken as
// text. Nothing is read from a socket faster than the guest takes it, and nothing is taken from the guest faster
// than the socket does. The call id of the fetch names it in the other calls.
//
// Bounded are: subrequests per exchange (each followed redirect counts), subrequests without a head yet, those
// that wait for their turn, and responses that are open. A response that nobody reads keeps its connection; when
// too many are open, the oldest one that nobody has begun to read is given up, and when all are being read the
// new one fails. It is not given up when its exchange ends: background work may still read it.

import { CALLS } from "../../../sdk/bridge.ts";
import { EdgeError, errorData } from "../../../sdk/errors.ts";
import { LIMITS } from "../../../sdk/limits.ts";
import type { Call, CallService } from "../call.ts";
import { Gate, SubrequestBudget } from "./budget.ts";
import {
  parseBoundFetch,
  parseFetch,
  parseFetchId,
  type FetchArguments,
} from "./fetch-arguments.ts";
import { reachOf } from "./guard.ts";
import { withOwnHosts, type OwnHosts } from "./own-hosts.ts";
import { DialledSockets } from "./sockets/dialled-sockets.ts";
import { Subrequest, type Send } from "./subrequest.ts";
import { createDispatcher, send, sharedDispatcher, type Dispatcher } from "./undici.ts";
import { UPLOAD_IDLE_MS_MAX } from "./upload.ts";

/** Per isolate, from the call to the response's head; what many requests' fan-outs may open of connections. */
const CONCURRENCY_MAX = 256;
/** Waiting for one of those places: as many as one exchange may ever make. */
export const WAITING_MAX = 1_000;
/** Per isolate: what many clients may stream through it at once. Each may hold a connection and 64 KB. */
export const OPEN_RESPONSES_MAX = 256;

export interface EgressOptions {
  readonly allowPrivate: boolean;
  /** Private hosts that this isolate may reach all the same (sdk/egress.ts). */
  readonly privateHosts?: readonly string[];
  /** Other endpoints of the node, by the name of their binding. */
  readonly bound?: ReadonlyMap<string, Send>;
  /** Addresses that this node answers itself. */
  readonly ownHosts?: OwnHosts;
  /** Stands before every fetch, of other endpoints excepted. */
  readonly before?: (send: Send) => Send;
  /** Per exchange. */
  readonly subrequestsMax: number;
  /** Of one message of a WebSocket that is opened. */
  readonly socketBytesMax?: number;
  /** Per exchange, from the call to the response's head. */
  readonly atOnceMax?: number;
  readonly concurrencyMax?: number;
  readonly waitingMax?: number;
  readonly openResponsesMax?: number;
  readonly uploadIdleMsMax?: number;
  /** Instead of the process's shared one, whose guard `allowPrivate` chooses. Not closed here. */
  readonly dispatcher?: Dispatcher;
}

export function createEgress(options: EgressOptions): CallService {
  return new Egress(options);
}

function ownDispatcher({ allowPrivate, privateHosts = [] }: EgressOptions): Dispatcher | null {
  if (allowPrivate || privateHosts.length === 0) return null;
  return createDispatcher(reachOf(allowPrivate, privateHosts));
}

const REQUEST_OVER = "The request that made it is over.";

class Egress implements CallService {
  readonly #sendOut: Send;
  readonly #bound: ReadonlyMap<string, Send>;
  /** Its connections are nobody else's: another isolate must not get one that its own guard refuses. */
  readonly #ownDispatcher: Dispatcher | null;
  readonly #sockets: DialledSockets;
  readonly #budget: SubrequestBudget;
  readonly #gate: Gate;
  readonly #openResponsesMax: number;
  readonly #uploadIdleMsMax: number;
  /** Every subrequest that is not over. */
  readonly #subrequests = new Map<number, Subrequest>();
  /** Those whose response has a body, in the order of their heads. */
  readonly #responses = new Set<Subrequest>();
  /** Those that end with their request; they are few. */
  readonly #streams = new Set<Subrequest>();
  #closed = false;

  constructor(options: EgressOptions) {
    this.#ownDispatcher = ownDispatcher(options);
    const dispatcher =
      options.dispatcher ?? this.#ownDispatcher ?? sharedDispatcher(options.allowPrivate);
    const sendOut: Send = (outgoing, how) => send(outgoing, { ...how, dispatcher });
    this.#sockets = new DialledSockets(
      reachOf(options.allowPrivate, options.privateHosts ?? []),
      options.socketBytesMax ?? LIMITS.socketBytes.default,
    );
    const { ownHosts, before = (send) => send } = options;
    this.#sendOut = before(ownHosts === undefined ? sendOut : withOwnHosts(sendOut, ownHosts));
    this.#bound = options.bound ?? new Map<string, Send>();
    this.#openResponsesMax = options.openResponsesMax ?? OPEN_RESPONSES_MAX;
    this.#uploadIdleMsMax = options.uploadIdleMsMax ?? UPLOAD_IDLE_MS_MAX;
    this.#budget = new SubrequestBudget(options.subrequestsMax);
    this.#gate = new Gate({
      runningMax: options.concurrencyMax ?? CONCURRENCY_MAX,
      runningPerOwnerMax: options.atOnceMax ?? LIMITS.subrequestsAtOnce.default,
      waitingMax: options.waitingMax ?? WAITING_MAX,
    });
  }

  call(name: string, call: Call): boolean {
    try {
      return this.#handle(name, call);
    } catch (error) {
      const { code, message } = errorData(error);
      call.fail(code, message);
      return true;
    }
  }

  cancel(id: number): void {
    this.#subrequests.get(id)?.fail("CANCELLED", "The subrequest was aborted.");
    this.#sockets.cancel(id);
  }

  ownerDone(owner: number): void {
    this.#budget.forget(owner);
    this.#sockets.ownerDone(owner);
    for (const stream of this.#streams) {
      if (stream.owner === owner) stream.fail("CANCELLED", REQUEST_OVER);
    }
  }

  close(): void {
    this.#closed = true;
    // The latest first: those that still wait for their turn must not get it in between.
    for (const subrequest of [...this.#subrequests.values()].reverse()) {
      subrequest.fail("CANCELLED", "The isolate is gone.");
    }
    this.#sockets.close();
    void this.#ownDispatcher?.destroy();
  }

  #handle(name: string, call: Call): boolean {
    switch (name) {
      case CALLS.FETCH:
        this.#begin(call, parseFetch(call), this.#sendOut);
        return true;
      case CALLS.FETCH_EVENTS:
        this.#beginStream(call);
        return true;
      case CALLS.FETCH_BOUND: {
        const { binding, parsed } = parseBoundFetch(call);
        const bound = this.#bound.get(binding);
        if (bound === undefined) {
          throw new EdgeError("CALL_INVALID", "The endpoint has no such binding.");
        }
        this.#begin(call, parsed, bound);
        return true;
      }
      case CALLS.FETCH_PULL:
        this.#find(parseFetchId(call.args).id).pull(call);
        return true;
      case CALLS.FETCH_TEXT:
        this.#find(parseFetchId(call.args).id).text(call);
        return true;
      case CALLS.FETCH_PUSH: {
        const { id, rest } = parseFetchId(call.args);
        this.#find(id).push(call, rest === "end");
        return true;
      }
      case CALLS.SOCKET_OPEN:
        if (this.#closed) throw new EdgeError("CANCELLED", "The isolate is gone.");
        this.#charge(call.owner);
        this.#sockets.open(call);
        return true;
      default:
        return this.#sockets.call(name, call);
    }
  }

  #beginStream(call: Call): void {
    if (!call.isOwned()) throw new EdgeError("CANCELLED", REQUEST_OVER);
    const stream = this.#begin(call, parseFetch(call), this.#sendOut);
    // Unless it was refused at once.
    if (this.#subrequests.has(call.id)) this.#streams.add(stream);
  }

  #begin(call: Call, parsed: FetchArguments, sendIt: Send): Subrequest {
    if (this.#closed) throw new EdgeError("CANCELLED", "The isolate is gone.");
    if (this.#subrequests.has(call.id)) {
      throw new EdgeError("CALL_INVALID", "The number of the call is in use.");
    }
    this.#charge(call.owner);
    let charged = true;
    const subrequest = new Subrequest(call, parsed, {
      send: sendIt,
      uploadIdleMsMax: this.#uploadIdleMsMax,
      onHop: () => {
        if (!charged) this.#charge(call.owner);
        charged = false;
      },
      onHead: (arrived) => {
        this.#gate.leave(arrived);
        if (arrived.unread) this.#keep(arrived);
      },
      onOver: (over) => {
        this.#gate.leave(over);
        this.#responses.delete(over);
        this.#streams.delete(over);
        this.#subrequests.delete(over.id);
      },
    });
    this.#subrequests.set(call.id, subrequest);
    if (!this.#gate.enter(subrequest)) {
      subrequest.fail("FETCH_FAILED", "Too many subrequests of this endpoint wait for their turn.");
    }
    return subrequest;
  }

  #charge(owner: number): void {
    if (this.#budget.take(owner)) return;
    const message = `One request may make ${this.#budget.max} subrequests; redirects count.`;
    throw new EdgeError("SUBREQUEST_LIMIT", message);
  }

  #keep(arrived: Subrequest): void {
    this.#responses.add(arrived);
    if (this.#responses.size <= this.#openResponsesMax) return;
    for (const oldest of this.#responses) {
      if (!oldest.unread) continue;
      const message = `More than ${this.#openResponsesMax} responses were left open.`;
      oldest.fail("FETCH_FAILED", message);
      return;
    }
  }

  #find(id: number): Subrequest {
    const subrequest = this.#subrequests.get(id);
    if (subrequest !== undefined) return subrequest;
    const message =
      "The subrequest is over: its response was read or cancelled, broke off, or was left unread too long.";
    throw new EdgeError("CANCELLED", message);
  }
}
