// `env.NAME` of a binding to another endpoint: Workers' Fetcher.

import { fetchBound } from "../fetch.ts";
import { exposeInterface } from "../interface.ts";

/** Only what is made here has it. */
const INTERNAL = {};

class Fetcher {
  readonly #binding: string;

  constructor(internal: unknown, binding: string) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#binding = binding;
  }

  /** As the global fetch, but the other endpoint answers, whatever host the address names. */
  fetch(input: unknown, init: unknown = undefined): Promise<object> {
    return fetchBound(this.#binding, input, init);
  }
}

exposeInterface(Fetcher, "Fetcher");

export function createFetcher(binding: string): object {
  return new Fetcher(INTERNAL, binding);
}
