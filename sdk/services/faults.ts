// Faults on purpose: a share of the calls that an endpoint makes of a binding wait or fail, to see what its handler
// makes of it. The author says so in the manifest, the operator in the configuration file; where both do, the
// operator's word holds for the bindings that it names.

/** In the place of a binding's name: the global fetch. */
export const FETCH = "fetch";

/** Codes of services that do not depend on what was asked of them; the first where none is named. */
export const SERVICE_FAULT_CODES = [
  "SERVICE_UNAVAILABLE",
  "SERVICE_TIMEOUT",
  "SERVICE_OVERLOADED",
  "SERVICE_STOPPED",
  "SERVICE_REFUSED",
  "SERVICE_FAILED",
  "SERVICE_CONFLICT",
] as const;

/** Of fetch, and of bindings of other endpoints. */
export const FETCH_FAULT_CODES = ["FETCH_FAILED"] as const;

export type FaultCode = (typeof SERVICE_FAULT_CODES)[number] | (typeof FETCH_FAULT_CODES)[number];

/** Twice what a handler and a service may take by default: beyond that nobody waits any more. */
export const FAULT_DELAY_MS_MAX = 60_000;

/** What becomes of calls of one binding. A call may wait, and then fail. */
export interface BindingFault {
  /** Of calls, from 0 to 1. */
  readonly delayShare: number;
  readonly delayMs: number;
  /** Of calls, those that wait among them. */
  readonly failShare: number;
  /** null: the first of its kind. */
  readonly code: FaultCode | null;
}

/** By the binding's name, or FETCH. */
export type BindingFaults = { readonly [binding: string]: BindingFault };
