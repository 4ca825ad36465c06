// Services of one isolate: the host's end of the calls service, service.pull and service.push (sdk/bridge.ts). Each
// binding has a port (sdk/services/service.ts), and a call finds only the ports of its own endpoint.
//
// A call is answered once, with a value; of an answer that goes on, the rest is pulled piece by piece. Whatever is
// under way for a request that has died is cancelled; what lasts (streams, transactions) ends with its request.

import { CALLS } from "../../../sdk/bridge.ts";
import { EdgeError, errorData } from "../../../sdk/errors.ts";
import type { ServicePort } from "../../../sdk/services/service.ts";
import { unpackValue, type Value } from "../../../sdk/services/values.ts";
import type { Call, CallService } from "../call.ts";
import { SubrequestBudget } from "../egress/budget.ts";
import { answerCall, ServiceCall } from "./service-call.ts";

export interface ServiceCallsOptions {
  /** By the binding's name. */
  readonly ports: ReadonlyMap<string, ServicePort>;
  /** Per request. */
  readonly callsMax: number;
}

export function createServiceCalls(options: ServiceCallsOptions): CallService {
  return new ServiceCalls(options);
}

class ServiceCalls implements CallService {
  readonly #ports: ReadonlyMap<string, ServicePort>;
  readonly #budget: SubrequestBudget;
  /** Every call that is not over. */
  readonly #open = new Map<number, ServiceCall>();
  #closed = false;

  constructor({ ports, callsMax }: ServiceCallsOptions) {
    this.#ports = ports;
    this.#budget = new SubrequestBudget(callsMax);
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
    this.#open.get(id)?.cancel();
  }

  ownerDone(owner: number, died: boolean): void {
    this.#budget.forget(owner);
    for (const open of this.#open.values()) {
      if (open.owner === owner && (died || open.lasts)) open.cancel();
    }
    for (const port of this.#ports.values()) port.requestDone(owner);
  }

  close(): void {
    this.#closed = true;
    for (const open of this.#open.values()) open.cancel();
    for (const port of this.#ports.values()) port.close();
  }

  #handle(name: string, call: Call): boolean {
    switch (name) {
      case CALLS.SERVICE:
        this.#begin(call);
        return true;
      case CALLS.SERVICE_PULL:
        this.#find(call.args).pull(call);
        return true;
      case CALLS.SERVICE_PUSH: {
        const [id = "", end] = call.args.split("\n");
        this.#find(id).push(call, end === "end");
        return true;
      }
      default:
        return false;
    }
  }

  #begin(call: Call): void {
    if (this.#closed) throw new EdgeError("CANCELLED", "The isolate is gone.");
    const bindingEnd = call.args.indexOf("\n");
    const methodEnd = call.args.indexOf("\n", bindingEnd + 1);
    const port = this.#ports.get(call.args.slice(0, bindingEnd));
    if (port === undefined || methodEnd < 0 || this.#open.has(call.id)) {
      throw new EdgeError("CALL_INVALID", "The endpoint has no such binding.");
    }
    if (!this.#budget.take(call.owner)) {
      const text = `One request may make ${this.#budget.max} calls of services (limit serviceCalls).`;
      throw new EdgeError("SUBREQUEST_LIMIT", text);
    }
    const method = call.args.slice(bindingEnd + 1, methodEnd);
    const args = parseArguments(call.args.slice(methodEnd + 1), call.bytes);
    const answer = port.callNow?.(method, args, call) ?? null;
    if (answer !== null) return answerCall(call, answer.value);
    const open = new ServiceCall(call, () => this.#open.delete(call.id));
    this.#open.set(call.id, open);
    open.start(port, { method, args });
  }

  #find(id: string): ServiceCall {
    const open = /^[0-9]{1,10}$/.test(id) ? this.#open.get(Number(id)) : undefined;
    if (open !== undefined) return open;
    throw new EdgeError("CANCELLED", "The call is over: it has ended, broke off or was cancelled.");
  }
}

function parseArguments(text: string, bytes: ArrayBuffer | null): readonly Value[] {
  try {
    const args = unpackValue(text, bytes === null ? null : new Uint8Array(bytes));
    if (Array.isArray(args)) return args as readonly Value[];
  } catch {
    // Whatever it is that does not parse: an honest guest cannot have sent it.
  }
  throw new EdgeError("CALL_INVALID", "The arguments of the call are malformed.");
}
