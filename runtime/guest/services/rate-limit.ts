// A rate-limit binding: Workers' RateLimit, which also says how much is left.

import { exposeInterface } from "../interface.ts";
import type { ServiceClient } from "./client.ts";

/** Only what is made here has it. */
const INTERNAL = {};

let createWith: (client: ServiceClient) => RateLimit;

class RateLimit {
  readonly #client: ServiceClient;

  constructor(internal: unknown, client: ServiceClient) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#client = client;
  }

  static {
    createWith = (client) => new RateLimit(INTERNAL, client);
  }

  /** Counts one for the key, unless it has had all that it may. */
  async limit(options: unknown): Promise<object> {
    if (typeof options !== "object" || options === null) {
      throw new TypeError("limit takes an object with a key.");
    }
    const key: unknown = Reflect.get(options, "key");
    if (typeof key !== "string") throw new TypeError("The key of a limit is a string.");
    const answer = (await this.#client.call("limit", [key])) as readonly [boolean, number, number];
    return { success: answer[0], remaining: answer[1], resetMs: answer[2] };
  }
}

exposeInterface(RateLimit, "RateLimit");

export function createRateLimit(client: ServiceClient): object {
  return createWith(client);
}
